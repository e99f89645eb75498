"""Making a data set: each raw video into clips, and the clips into rows of the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from facepipe.dataset.annotations import Annotations
from facepipe.dataset.listing import FOLDERS, LIST, Entry, path_of, write_list
from facepipe.dataset.people import People, clip_name
from facepipe.dataset.statistics import SHEET, STATISTICS, write_sheet, write_statistics
from facepipe.engine import Artefact, Job, Pending
from facepipe.engine.artefact import Output
from facepipe.engine.events import Result
from facepipe.errors import FailedItemsError, InputError, NoFaceError, UsageError
from facepipe.face.spans import Sighting, load_sightings
from facepipe.media.limits import MediaLimits
from facepipe.pipeline.batch import run_items
from facepipe.pipeline.delivery import check_apart, check_destination, deliver, described, make_parent, sidecar_of
from facepipe.pipeline.items import Item, find_items, is_video
from facepipe.pipeline.perception import Made, Weights
from facepipe.pipeline.precheck import Medium, all_of, check_work_folder, find_weights, inspect
from stages import clip, coefficients, features, spans, utterances


@dataclass(frozen=True)
class Recipe:
    """What every clip of a data set has in common."""

    rule: str = "head"
    size_pixels: int = 256
    fps: Fraction = Fraction(25)
    quality: int = 90
    limits: MediaLimits = field(default_factory=MediaLimits)
    overwrite: bool = False


@dataclass
class Builder:
    """Makes the clips of raw videos and remembers their rows."""

    job: Job
    recipe: Recipe
    weights: Weights
    people: People
    root: Path
    """The folder of the raw videos: names are relative to it."""
    dataset: Path
    annotations: Annotations | None = None
    entries: list[Entry] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    built: int = 0
    """How many raw videos came through."""

    def build(self, item: Item) -> list[Path]:
        """Make all clips of one raw video, and return where they lie. One that fails does not cost the others."""
        medium, name = inspect(item.path, self.recipe.limits), item.path.relative_to(self.root)
        person = self.people.person(name)
        found = self._find(medium, name)
        if isinstance(found, Pending):
            return []
        sightings = load_sightings(found.path("spans.json"))
        made, fault = list[Path](), None
        for seen in sightings.found:
            try:
                path = self._cut(medium, found, seen, seen.person or person)
            except (InputError, NoFaceError) as error:
                fault = fault or error
            else:
                made += [path] if path else []
        for reason, count in sightings.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        if fault:
            raise fault
        self.built += 1
        return made

    def _find(self, medium: Medium, name: Path) -> Made:
        """Find which parts of a raw video become clips."""
        recipe = self.recipe
        weights = {key: self.weights[key] for key in ("detector", "landmarker")}
        frames = round(medium.frames * recipe.fps / medium.fps)
        if recipe.rule != "voxceleb":
            params = spans.Params(recipe.rule, recipe.fps)
            inputs = {"media": medium.path}
            return self.job.run(spans.STAGE, inputs, params, weights=weights, label=f"spans {name}", frames=frames)
        texts = self.annotations.of(name) if self.annotations else []
        return self.job.run(
            utterances.STAGE,
            {"media": medium.path, "boxes": texts},
            utterances.Params(recipe.fps, recipe.size_pixels),
            weights=weights,
            label=f"utterances {name}",
            frames=frames,
        )

    def _cut(self, medium: Medium, found: Artefact, seen: Sighting, person: str) -> Path | None:
        """Make one clip with its coefficients, deliver it, and note its row; None in a dry run."""
        recipe, span = self.recipe, seen.span
        name = clip_name(person, medium.path.relative_to(self.root))
        if recipe.rule == "voxceleb":
            part = seen.utterance or f"face{seen.face}"
            name = f"{name}#{part}#{span.first_frame:06}#{span.end_frame:06}"
        outs = {kind: path_of(self.dataset, name, kind) for kind in FOLDERS}
        self._check(outs, medium.path)
        tracked = found.has("track.npz")
        made = self.job.run(
            clip.STAGE,
            {"media": medium.path, **({"track": found.output("track.npz")} if tracked else {})},
            clip.Params(span, size_pixels=recipe.size_pixels, fps=recipe.fps, quality=recipe.quality),
            weights={} if tracked else {key: self.weights[key] for key in ("detector", "landmarker")},
            label=f"clip {name}",
            frames=span.end_frame - span.first_frame,
        )
        fitted = self.job.run(
            coefficients.STAGE,
            {"track": made.output("track.npz")},
            coefficients.Params(),
            weights={"face-model": self.weights["face-model"]},
            label=f"fit {name}",
            frames=span.end_frame - span.first_frame,
        )
        if self.job.dry_run or not isinstance(made, Artefact) or not isinstance(fitted, Artefact):
            return None
        files = {
            outs["clip"]: made.output("clip.mp4"),
            outs["coefficients"]: fitted.output("coefficients.npz"),
            outs["track"]: made.output("track.npz"),
        }
        stages = [made, fitted]
        if made.facts["sound"] != "none":
            heard = self.job.run(
                features.STAGE,
                {"sound": made.output("clip.mp4")},
                features.Params(fps=str(recipe.fps)),
                label=f"features {name}",
                frames=span.end_frame - span.first_frame,
            )
            assert isinstance(heard, Artefact)
            files[outs["features"]] = heard.output("features.npz")
            stages.append(heard)
        self._deliver(files, medium, stages)
        self.entries.append(self._entry(name, person, medium, seen, made))
        return outs["clip"]

    def _check(self, outs: Mapping[str, Path], source: Path) -> None:
        check_apart(outs.values(), [source])
        sidecar = sidecar_of(outs["clip"])
        for out in outs.values():
            if not self.job.dry_run:
                make_parent(out)
            if out.parent.exists():
                check_destination(
                    out, self.job.workspace.digests, overwrite=self.recipe.overwrite, described_by=sidecar
                )

    def _deliver(self, files: Mapping[Path, Output], medium: Medium, stages: Sequence[Artefact]) -> None:
        digests = self.job.workspace.digests
        about = {
            "inputs": {"item": {"path": str(medium.path), "sha256": digests.digest(medium.path)}},
            "stages": [described(one) for one in stages],
            "weights": {name: weight.sha256 for name, weight in self.weights.items()},
        }
        changed = deliver(files, digests, about)
        self.job.tell(Result(path=str(next(iter(files))), changed=changed))

    def _entry(self, name: str, person: str, medium: Medium, seen: Sighting, made: Artefact) -> Entry:
        span, facts = seen.span, made.facts
        return Entry(
            id=name,
            person=person,
            split=self.people.split(person),
            frames=facts["frames"],
            valid_frames=facts["frames"] - facts["frames_without_face"],
            fps=str(self.recipe.fps),
            size_pixels=self.recipe.size_pixels,
            sound=facts["sound"] != "none",
            source=medium.path.relative_to(self.root).as_posix(),
            source_sha256=self.job.workspace.digests.digest(medium.path),
            first_frame=span.first_frame,
            box=(span.left, span.top, span.side),
            face=seen.face,
        )


def check_names(items: Sequence[Item], root: Path, people: People) -> None:
    """Raise UsageError where two raw videos would give clips of one name."""
    owners: dict[str, Item] = {}
    for item in items:
        name = item.path.relative_to(root)
        with suppress(InputError):  # whom nobody knows is told when the item's turn comes
            called = clip_name(people.person(name), name)
            if (other := owners.setdefault(called, item)) is not item:
                raise UsageError(f"{other.path} and {item.path} would both give the clip {called}; rename one")


def build_dataset(
    job: Job, clips: Path, dataset: Path, recipe: Recipe, people: People, annotations: Annotations | None = None
) -> list[Path]:
    """Build a data set out of a folder of raw videos; return the path of its list.

    Raises FailedItemsError when videos could not be used; the list then holds the others.
    """
    if not clips.is_dir():
        raise InputError(f"{clips} is no folder; give the folder of the raw videos")
    items, weights, _ = all_of(
        [
            lambda: find_items([clips], dataset, is_video, kinds="videos"),
            lambda: find_weights("detector", "landmarker", "face-model"),
            lambda: check_work_folder(job),
        ]
    )
    check_names(items, clips, people)
    builder = Builder(job, recipe, weights, people, clips, dataset, annotations)
    try:
        run_items(job, "dataset", items, builder.build)
    except FailedItemsError as error:
        _finish(builder, len(items))
        raise FailedItemsError(error.lines, done=[dataset / LIST], detail=error.detail) from error
    _finish(builder, len(items))
    return [dataset / LIST]


def _finish(builder: Builder, items: int) -> None:
    """Write the list and, where it says something new, what goes with it."""
    dataset, entries = builder.dataset, builder.entries
    if builder.job.dry_run or not entries:
        return
    changed = write_list(dataset, entries)
    if changed or not all((dataset / name).exists() for name in (SHEET, STATISTICS)):
        write_statistics(dataset, entries, builder.rejected, failed=items - builder.built)
        write_sheet(dataset, entries)
