"""Builds the clips of a raw video, with the data that trainings need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePath

from facepipe.dataset.listing import FOLDERS, Entry, path_of
from facepipe.dataset.manifest_part import ManifestPart
from facepipe.dataset.people import People, clip_name
from facepipe.engine import Artefact, Job, Pending
from facepipe.engine.artefact import Output
from facepipe.errors import FacepipeError, InputError, NoFaceError
from facepipe.face.clip_candidates import ClipCandidate, load_candidates
from facepipe.media.limits import MediaLimits
from facepipe.pipeline.delivery import check_apart, check_destination, deliver, described, sidecar_of
from facepipe.pipeline.perception import Made, Weights
from facepipe.pipeline.precheck import Medium, inspect
from facepipe.spaces import bfm, linear478
from facepipe.stages import clip, coefficients, features, spans, utterances


@dataclass(frozen=True)
class Recipe:
    """Settings that all clips of a data set share."""

    rule: str = "head"
    size_pixels: int = 256
    fps: Fraction = Fraction(25)
    quality: int = 90
    space: str = linear478.SPACE.name
    """An additional motion space for the coefficients of every clip; linear478 is always written."""
    limits: MediaLimits = field(default_factory=MediaLimits)
    overwrite: bool = False


@dataclass
class Builder:
    """Builds the clips of one raw video."""

    job: Job
    recipe: Recipe
    weights: Weights
    people: People
    dataset: Path
    name: PurePath
    """The raw video, relative to the folder of raw videos."""
    person: str
    annotations: Sequence[Path] = ()

    def build(self, source: Path) -> ManifestPart:
        """Build all clips of the raw video. A clip that fails does not affect the others."""
        medium = inspect(source, self.recipe.limits)
        found = self._find(medium)
        if isinstance(found, Pending):
            return ManifestPart()
        candidates = load_candidates(found.path("spans.json"))
        entries, faults = list[Entry](), list[FacepipeError]()
        for candidate in candidates.found:
            try:
                entries += self._cut(medium, found, candidate)
            except (InputError, NoFaceError) as error:
                faults.append(error)
        return ManifestPart(entries, candidates.rejected, faults)

    def _find(self, medium: Medium) -> Made:
        """Find the parts of a raw video that become clips."""
        recipe = self.recipe
        weights = {key: self.weights[key] for key in ("detector", "landmarker")}
        frames = round(medium.frames * recipe.fps / medium.fps)
        if recipe.rule != "voxceleb":
            params = spans.Params(recipe.rule, recipe.fps)
            inputs = {"media": medium.path}
            return self.job.run(spans.STAGE, inputs, params, weights=weights, label=f"spans {self.name}", frames=frames)
        return self.job.run(
            utterances.STAGE,
            {"media": medium.path, "boxes": self.annotations},
            utterances.Params(recipe.fps, recipe.size_pixels),
            weights=weights,
            label=f"utterances {self.name}",
            frames=frames,
        )

    def _cut(self, medium: Medium, found: Artefact, candidate: ClipCandidate) -> list[Entry]:
        """Build one clip with its files, deliver it, and return its entry; in a dry run, return no entry."""
        recipe, span, person = self.recipe, candidate.span, candidate.person or self.person
        name = clip_name(person, self.name)
        if recipe.rule == "voxceleb":
            part = candidate.utterance or f"face{candidate.face}"
            name = f"{name}#{part}#{span.first_frame:06}#{span.end_frame:06}"
        targets = {kind: path_of(self.dataset, name, kind) for kind in FOLDERS}
        self._check(targets, medium.path)
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
            coefficients.Params(smoothing="none"),
            weights={"face-model": self.weights["face-model"]},
            label=f"fit {name}",
            frames=span.end_frame - span.first_frame,
        )
        if self.job.dry_run or not isinstance(made, Artefact) or not isinstance(fitted, Artefact):
            return []
        files = {
            targets["clip"]: made.output("clip.mp4"),
            targets["coefficients"]: fitted.output("coefficients.npz"),
            targets["track"]: made.output("track.npz"),
        }
        stages = [found, made, fitted]
        if recipe.space == bfm.SPACE.name:
            stages.append(self._bfm(name, made))
            files[targets["bfm"]] = stages[-1].output("coefficients.npz")
        if made.facts["sound"] != "none":
            sound_features = self.job.run(
                features.STAGE,
                {"sound": made.output("clip.mp4")},
                features.Params(fps=str(recipe.fps)),
                label=f"features {name}",
                frames=span.end_frame - span.first_frame,
            )
            assert isinstance(sound_features, Artefact)
            files[targets["features"]] = sound_features.output("features.npz")
            stages.append(sound_features)
        self._deliver(files, medium, stages)
        return [self._entry(name, person, medium, candidate, made)]

    def _bfm(self, name: str, made: Artefact) -> Artefact:
        """Estimate a clip's coefficients in the space bfm, which the training of the paper's network needs."""
        found = self.job.run(
            coefficients.BFM_STAGE,
            {"track": made.output("track.npz"), "media": made.output("clip.mp4")},
            coefficients.Params(space=bfm.SPACE.name, smoothing="none"),
            weights={key: self.weights[key] for key in ("face-model", "deep3d", "bfm") if key in self.weights},
            label=f"fit {name} ({bfm.SPACE.name})",
            frames=made.facts["frames"],
        )
        assert isinstance(found, Artefact)
        return found

    def _check(self, targets: Mapping[str, Path], source: Path) -> None:
        check_apart(targets.values(), [source])
        sidecar = sidecar_of(targets["clip"])
        for out in targets.values():
            check_destination(out, self.job.workspace.digests, overwrite=self.recipe.overwrite, described_by=sidecar)

    def _deliver(self, files: Mapping[Path, Output], medium: Medium, stages: Sequence[Artefact]) -> None:
        digests = self.job.workspace.digests
        about = {
            "inputs": {"item": {"path": str(medium.path), "sha256": digests.digest(medium.path)}},
            "stages": [described(one) for one in stages],
            "weights": {name: weight.sha256 for name, weight in self.weights.items()},
        }
        deliver(self.job, files, about, overwrite=self.recipe.overwrite)

    def _entry(self, name: str, person: str, medium: Medium, candidate: ClipCandidate, made: Artefact) -> Entry:
        span, facts = candidate.span, made.facts
        return Entry(
            id=name,
            person=person,
            split=self.people.split(person),
            frames=facts["frames"],
            valid_frames=facts["frames"] - facts["frames_without_face"],
            fps=str(self.recipe.fps),
            size_pixels=self.recipe.size_pixels,
            sound=facts["sound"] != "none",
            bfm=self.recipe.space == bfm.SPACE.name,
            source=self.name.as_posix(),
            source_sha256=self.job.workspace.digests.digest(medium.path),
            first_frame=span.first_frame,
            box=(span.left, span.top, span.side),
            face=candidate.face,
        )
