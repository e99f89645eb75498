"""Making a data set: each raw video into clips, and the clips into rows of the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from facepipe.dataset.listing import LIST, Entry, path_of, write_list
from facepipe.dataset.people import People, clip_name
from facepipe.dataset.statistics import SHEET, STATISTICS, write_sheet, write_statistics
from facepipe.engine import Artefact, Job, Pending
from facepipe.engine.artefact import Output
from facepipe.engine.events import Result
from facepipe.errors import FailedItemsError, InputError, UsageError
from facepipe.face.spans import Sighting, load_sightings
from facepipe.media.limits import MediaLimits
from facepipe.pipeline.batch import run_items
from facepipe.pipeline.delivery import check_apart, check_destination, deliver, described, make_parent, sidecar_of
from facepipe.pipeline.items import Item, find_items, is_video
from facepipe.pipeline.perception import Weights
from facepipe.pipeline.precheck import Medium, all_of, check_work_folder, find_weights, inspect
from stages import clip, coefficients, spans


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
    entries: list[Entry] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    built: int = 0
    """How many raw videos came through."""

    def build(self, item: Item) -> list[Path]:
        """Make all clips of one raw video, and return where they lie."""
        medium = inspect(item.path, self.recipe.limits)
        name = item.path.relative_to(self.root)
        person = self.people.person(name)
        recipe = self.recipe
        found = self.job.run(
            spans.STAGE,
            {"media": item.path},
            spans.Params(rule=recipe.rule, fps=recipe.fps),
            weights={key: self.weights[key] for key in ("detector", "landmarker")},
            label=f"spans {name}",
            frames=round(medium.frames * recipe.fps / medium.fps),
        )
        if isinstance(found, Pending):
            return []
        sightings = load_sightings(found.path("spans.json"))
        for reason, count in sightings.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        made = [self._cut(medium, found, sighting, clip_name(person, name), person) for sighting in sightings.found]
        self.built += 1
        return [path for path in made if path]

    def _cut(self, medium: Medium, found: Artefact, sighting: Sighting, name: str, person: str) -> Path | None:
        """Make one clip with its coefficients, deliver it, and note its row; None in a dry run."""
        recipe, span = self.recipe, sighting.span
        outs = {kind: path_of(self.dataset, name, kind) for kind in ("clip", "coefficients", "track")}
        self._check(outs, medium.path)
        made = self.job.run(
            clip.STAGE,
            {"media": medium.path, "track": found.output("track.npz")},
            clip.Params(span, size_pixels=recipe.size_pixels, fps=recipe.fps, quality=recipe.quality),
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
        self._deliver(files, medium, [made, fitted])
        self.entries.append(self._entry(name, person, medium, sighting, made))
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

    def _entry(self, name: str, person: str, medium: Medium, sighting: Sighting, made: Artefact) -> Entry:
        span, facts = sighting.span, made.facts
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
            face=sighting.face,
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


def build_dataset(job: Job, clips: Path, dataset: Path, recipe: Recipe, people: People) -> list[Path]:
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
    builder = Builder(job, recipe, weights, people, clips, dataset)
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
