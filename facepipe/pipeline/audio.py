"""The job of `facepipe audio`: a source portrait says what a sound says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.events import Result
from facepipe.errors import UsageError
from facepipe.media.encode import check_codec
from facepipe.media.sound import SoundInfo, probe_sound
from facepipe.motion.audio_model import FPS
from facepipe.motion.features import frames_of
from facepipe.motion.synthesis import SamplingOptions
from facepipe.pipeline.arrays import described_input
from facepipe.pipeline.delivery import check_apart, check_destination, deliver, described, sidecar_of
from facepipe.pipeline.estimate import estimate
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Fitted, Made, Weights, fit_driver, fit_source, perception_weights
from facepipe.pipeline.precheck import Medium, all_of, check_work_folder, find_weights, inspect
from facepipe.pipeline.provenance import signed
from facepipe.pipeline.rendering import Scene, join, render_segments, renderer_weights
from facepipe.spaces import SPACES, linear478
from stages import features, motion, report, sheet, speech

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov")


@dataclass(frozen=True)
class Takes:
    """What `audio` is asked for beyond what all commands are."""

    sampling: SamplingOptions
    """Its seed is the one that the user gave; each take derives its own."""
    samples: int = 1
    fps: Fraction = Fraction(FPS)
    pose_from: Path | None = None
    report: Path | None = None


@dataclass(frozen=True)
class Performance:
    """What is to be made of what, checked."""

    source: Medium
    sound: SoundInfo
    head: Medium | None
    outs: tuple[Path, ...]
    """One for each take."""
    takes: Takes
    options: Options
    weights: Weights

    @property
    def frames(self) -> int:
        """Return how many frames a take has."""
        return frames_of(self.sound.seconds, self.takes.fps)

    def beside(self, path: Path | None, take: int) -> Path | None:
        """Return where a report or contact sheet of a take goes."""
        return _numbered(path, take, len(self.outs)) if path else None


def _numbered(path: Path, take: int, count: int) -> Path:
    return path if count == 1 else path.with_name(f"{path.stem}-{take + 1}{path.suffix}")


def prepare(job: Job, source: Path, sound: Path, out: Path, options: Options, takes: Takes) -> Performance:
    """Check everything that can be checked before the first frame; raise one error that tells all that is wrong."""
    _check_names(out, options, takes)
    count, digests = takes.samples, job.workspace.digests
    outs = [_numbered(out, take, count) for take in range(count)]
    also = [_numbered(path, take, count) for path in (options.sheet, takes.report) if path for take in range(count)]
    inputs = [source, sound, *([takes.pose_from] if takes.pose_from else [])]
    check_apart([*outs, *also], [*inputs, *options.provenance.paths()])
    found = all_of(
        [
            lambda: inspect(source, options.limits),
            lambda: probe_sound(sound, options.limits),
            lambda: inspect(takes.pose_from, options.limits, motion=linear478.SPACE.name) if takes.pose_from else None,
            lambda: {**perception_weights(options), **find_weights("audio")},
            lambda: renderer_weights(options),
            lambda: check_codec(options.codec),
            *(
                lambda path=path, take=take: check_destination(
                    path, digests, overwrite=options.overwrite, described_by=sidecar_of(outs[take])
                )
                for path, take in zip([*outs, *also], [*range(count)] * 3, strict=False)
            ),
            options.provenance.check,
            lambda: check_work_folder(job),
        ]
    )
    return Performance(found[0], found[1], found[2], tuple(outs), takes, options, {**found[3], **found[4]})


def _check_names(out: Path, options: Options, takes: Takes) -> None:
    if out.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(f"the result of audio is a video, but -o says {out}; end the name in .mp4")
    for path, flag in ((options.sheet, "--sheet"), (takes.report, "--report")):
        if path and path.suffix.lower() != ".png":
            raise UsageError(f"{flag} is to be called {path}; it is a PNG, so end its name in .png")
    if not SPACES[options.space].from_coefficients:
        able = ", ".join(name for name, space in SPACES.items() if space.from_coefficients)
        raise UsageError(f"a voice drives the motion spaces {able} only, but this job uses {options.space}")
    if takes.pose_from and takes.sampling.still:
        raise UsageError("--still keeps the head where it is, and --pose-from moves it; give one of the two")


def seed_of(seed: int, item: str, take: int) -> int:
    """Return the seed of one take: of the user's, of what the item is, and of the take's number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{item}/{take}".encode()).digest()[:7], "big")


def audio(job: Job, work: Performance) -> list[Path]:
    """Make, or find made, all takes; deliver them unless this is a dry run. Return where they lie."""
    source = fit_source(job, work.source, work.options, work.weights)
    heard = hear(job, work.sound)
    head, watched = _head(job, work)
    own, item = source.coefficients.output("coefficients.npz"), (work.source.path, work.sound)
    for take in range(len(work.outs)):
        spoken = speak(job, item, work.takes, heard, own, work.weights, head=head, take=take)
        result, segments = _shown(job, work, source, spoken)
        before = [source.crop, source.coefficients, heard, *watched, spoken, *segments]
        _finish(job, work, take, result, spoken, before)
    return list(work.outs)


def hear(job: Job, sound: SoundInfo) -> Made:
    """Describe the sound at the rate of the model."""
    return job.run(
        features.STAGE,
        {"sound": sound.path},
        features.Params(fps=str(FPS)),
        label="features",
        frames=frames_of(sound.seconds, Fraction(FPS)),
    )


def _head(job: Job, work: Performance) -> tuple[Output | Pending | Path | None, list[Made]]:
    """Return the coefficients whose head moves, and what was made for them."""
    if work.head is None:
        return None, []
    if work.head.kind == "motion":
        return work.head.path, []
    fitted = fit_driver(job, work.head, work.options, work.weights)
    return fitted.coefficients.output("coefficients.npz"), [fitted.crop, fitted.coefficients]


def speak(
    job: Job,
    item: tuple[Path, SoundInfo],
    takes: Takes,
    heard: Made,
    source: Output | Pending | Path,
    weights: Weights,
    *,
    head: Output | Pending | Path | None = None,
    take: int = 0,
) -> Made:
    """Draw the motion of one take of an item: the file of the source, and the sound."""
    portrait, sound = item
    digests, frames = job.workspace.digests, frames_of(sound.seconds, takes.fps)
    # By what they hold, so that neither names nor the order of work can change a result.
    seed = seed_of(takes.sampling.seed, f"{digests.digest(portrait)}/{digests.digest(sound.path)}", take)
    inputs: dict[str, Any] = {"features": heard.output("features.npz"), "source": source}
    if head is not None:
        inputs["head"] = head
    return job.run(
        speech.STAGE,
        inputs,
        speech.Params(replace(takes.sampling, seed=seed), str(takes.fps), frames),
        weights={name: weights[name] for name in speech.STAGE.weights},
        label=f"speech {take + 1}",
        frames=frames,
    )


def _shown(job: Job, work: Performance, source: Fitted, spoken: Made) -> tuple[Made, list[Made]]:
    """Draw the frames and join them with the sound; return the whole and its segments."""
    driver = Medium(work.sound.path, "sound", work.frames, has_sound=True, fps=work.takes.fps)
    scene = Scene(work.source, source, driver, None, work.options, work.weights)
    # The stage moves on what it is given as source; here rows that are as they are to be.
    moved = {"source": spoken.output("motion.npz")}
    segments = render_segments(job, scene, moved, motion.Params(), work.frames)
    return join(job, scene, segments), segments


def _finish(job: Job, work: Performance, take: int, result: Made, spoken: Made, before: list[Made]) -> None:
    """Make sheet and report, and bring all to its place with a sidecar; in a dry run tell what it will take."""
    extras: dict[Path, Made] = {}
    if path := work.beside(work.options.sheet, take):
        extras[path] = job.run(sheet.STAGE, {"results": [result.output("result.mp4")]}, sheet.Params(), label="sheet")
    if path := work.beside(work.takes.report, take):
        inputs = {
            "sound": work.sound.path,
            "motion": spoken.output("motion.npz"),
            "result": result.output("result.mp4"),
        }
        face_model = {"face-model": work.weights["face-model"]}
        extras[path] = job.run(report.STAGE, inputs, report.Params(), weights=face_model, label="report")
    provenance = work.options.provenance
    extras = {path: signed(job, made, provenance, _inputs(work), f"sign {path.name}") for path, made in extras.items()}
    unsigned, result = result, signed(job, result, provenance, _inputs(work))
    if isinstance(result, Pending):
        driver = Medium(work.sound.path, "motion", work.frames, has_sound=True, fps=work.takes.fps)
        job.emit(estimate(work.source, driver, work.options, frames=work.frames, still=False))
    if job.dry_run or not isinstance(result, Artefact):
        return
    out = work.outs[take]
    outs = {out: result.sole_output()}
    outs |= {path: made.sole_output() for path, made in extras.items() if isinstance(made, Artefact)}
    made = {one.folder: one for one in (*before, unsigned, result) if isinstance(one, Artefact)}
    changed = deliver(outs, job.workspace.digests, _about(job, work, take, list(made.values())))
    job.emit(Result(path=str(out), changed=changed))


def _inputs(work: Performance) -> dict[str, Path]:
    head = {"head": work.head.path} if work.head else {}
    return {"source": work.source.path, "sound": work.sound.path, **head}


def _about(job: Job, work: Performance, take: int, made: list[Artefact]) -> Mapping[str, Any]:
    """Return what the sidecar says of where a take comes from."""
    digests = job.workspace.digests
    kinds = {"source": work.source.kind, "sound": "sound", "head": work.head.kind if work.head else ""}
    return {
        "inputs": {
            role: {**described_input(path, job.workspace), "kind": kinds[role], "sha256": digests.digest(path)}
            for role, path in _inputs(work).items()
        },
        **work.options.provenance.about(digests),
        "options": work.options.as_json(),
        "take": take + 1,
        "stages": [described(one) for one in made],
        "weights": {name: weight.sha256 for name, weight in work.weights.items()},
    }
