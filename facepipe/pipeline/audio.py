"""The job of `facepipe audio`: a source portrait moves with motion that is generated from speech."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.errors import UsageError
from facepipe.media.encode import check_codec
from facepipe.media.sound import SoundInfo, probe_sound
from facepipe.motion.audio_model import FPS
from facepipe.motion.features import frames_of
from facepipe.motion.synthesis import SamplingOptions
from facepipe.pipeline.arrays import described_input
from facepipe.pipeline.backdrop import check_backdrop, described_backdrop
from facepipe.pipeline.delivery import check_apart, check_destination, deliver, described, sidecar_of
from facepipe.pipeline.estimate import estimate
from facepipe.pipeline.items import is_take
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import (
    Fitted,
    Made,
    Weights,
    described_references,
    fit_driver,
    motion_weights,
    perception_weights,
    read_take,
)
from facepipe.pipeline.precheck import Medium, all_of, check_work_folder, find_weights, inspect
from facepipe.pipeline.provenance import signed
from facepipe.pipeline.rendering import Scene, join, render_segments, renderer_weights, result_of
from facepipe.pipeline.sources import described_pictures, fit_source, inspect_source
from facepipe.spaces import SPACES, linear478
from facepipe.stages import features, motion, report, sheet, speech

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm")


@dataclass(frozen=True)
class TakeOptions:
    """The options of `audio` that no other command has."""

    sampling: SamplingOptions
    """Contains the seed that the user gave; the seed of each take is derived from it."""
    samples: int = 1
    fps: Fraction = Fraction(FPS)
    pose_from: Path | None = None
    report: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the options that change the content of the result, for the sidecar. A lookahead of -1 is no limit."""
        own = {"samples": self.samples, "fps": str(self.fps), "pose_from": str(self.pose_from or "")}
        return {**asdict(self.sampling), **own}


@dataclass(frozen=True)
class AudioJob:
    """The checked inputs, outputs and options of a job."""

    source: Medium
    sound: SoundInfo
    head: Medium | None
    outs: tuple[Path, ...]
    """One for each take."""
    audio_options: TakeOptions
    options: Options
    weights: Weights

    @property
    def frames(self) -> int:
        """The number of frames of a take."""
        return frames_of(self.sound.seconds, self.audio_options.fps)

    def beside(self, path: Path | None, take: int) -> Path | None:
        """Return the path of the report or contact sheet of a take."""
        return take_of(path, take, len(self.outs)) if path else None


def take_of(path: Path, take: int, count: int) -> Path:
    """Return the path of one of several takes: NAME-1.mp4, NAME-2.mp4 and so on."""
    return path if count == 1 else path.with_name(f"{path.stem}-{take + 1}{path.suffix}")


def prepare(job: Job, source: Path, sound: Path, out: Path, options: Options, audio_options: TakeOptions) -> AudioJob:
    """Check everything that can be checked before the first frame. Raises one error that lists all faults."""
    _check_names(out, options, audio_options)
    count, digests = audio_options.samples, job.workspace.digests
    outs = [take_of(out, take, count) for take in range(count)]
    also = [
        take_of(path, take, count) for path in (options.sheet, audio_options.report) if path for take in range(count)
    ]
    inputs = [source, sound, *([audio_options.pose_from] if audio_options.pose_from else [])]
    check_apart([*outs, *also], [*inputs, *options.named_files()])
    found = all_of(
        [
            lambda: inspect_source(source, options),
            lambda: probe_sound(sound, options.limits, track=options.track),
            lambda: (
                inspect(audio_options.pose_from, options.limits, motion=linear478.SPACE.name)
                if audio_options.pose_from
                else None
            ),
            lambda: {**perception_weights(options), **find_weights("audio")},
            lambda: renderer_weights(options),
            lambda: check_codec(options.codec),
            lambda: check_backdrop(options),
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
    return AudioJob(found[0], found[1], found[2], tuple(outs), audio_options, options, {**found[3], **found[4]})


def _check_names(out: Path, options: Options, audio_options: TakeOptions) -> None:
    if out.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(f"-o is {out}, but the result of audio is a video; use a name ending in .mp4")
    for path, flag in ((options.sheet, "--sheet"), (audio_options.report, "--report")):
        if path and path.suffix.lower() != ".png":
            raise UsageError(f"{flag} is {path}, but the file is a PNG; use a name ending in .png")
    if not SPACES[options.space].from_coefficients:
        usable = ", ".join(name for name, space in SPACES.items() if space.from_coefficients)
        raise UsageError(f"motion from sound needs a motion space of {usable}, but this job uses {options.space}")
    if audio_options.pose_from and audio_options.sampling.still:
        raise UsageError("--still keeps the head still, but --pose-from moves it; give only one of them")


def seed_of(seed: int, item: str, take: int) -> int:
    """Return the seed of one take, derived from the user's seed, the content of the item and the take's number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{item}/{take}".encode()).digest()[:7], "big")


def audio(job: Job, work: AudioJob) -> list[Path]:
    """Make all takes, or find them in the store; deliver them unless this is a dry run. Return their paths."""
    source = fit_source(job, work.source, work.options, work.weights)
    sound_features = compute_features(job, work.sound, work.options.track)
    head, head_results = _head(job, work)
    own, item = source.coefficients.output("coefficients.npz"), (work.source.path, work.sound)
    needed = speech_weights(work.options.space, work.weights)
    for take in range(len(work.outs)):
        generated = generate_motion(job, item, work.audio_options, sound_features, own, needed, head=head, take=take)
        result, segments = _render(job, work, source, generated)
        before = [*source.made, sound_features, *head_results, generated, *segments]
        _finish(job, work, take, result, generated, before)
    beside = [
        work.beside(path, take)
        for path in (work.options.sheet, work.audio_options.report)
        for take in range(len(work.outs))
    ]
    return [*work.outs, *(path for path in beside if path)]


def speech_weights(space: str, weights: Weights) -> Weights:
    """Return the weights that generate motion in a space."""
    return {**motion_weights(space, weights), "audio": weights["audio"]}


def compute_features(job: Job, sound: SoundInfo, track: int | None) -> Made:
    """Compute the features of the sound at the frame rate of the network."""
    return job.run(
        features.STAGE,
        {"sound": sound.path},
        features.Params(fps=str(FPS), track=track),
        label="features",
        frames=frames_of(sound.seconds, Fraction(FPS)),
    )


def _head(job: Job, work: AudioJob) -> tuple[Output | Pending | Path | None, list[Made]]:
    """Return the coefficients that give the head motion, if any, and the results made for them."""
    if work.head is None:
        return None, []
    if is_take(work.head.path):
        read = read_take(job, work.head.path, "take", frames=work.head.frames)
        return read.output("coefficients.npz"), [read]
    if work.head.kind == "motion":
        return work.head.path, []
    fitted = fit_driver(job, work.head, work.options, work.weights)
    return fitted.coefficients.output("coefficients.npz"), [fitted.crop, fitted.coefficients]


def generate_motion(
    job: Job,
    item: tuple[Path | None, SoundInfo],
    audio_options: TakeOptions,
    sound_features: Made,
    source: Output | Pending | Path | None,
    weights: Weights,
    *,
    head: Output | Pending | Path | None = None,
    take: int = 0,
) -> Made:
    """Generate the motion of one take. `item` is the path of the source, and the sound; `weights` are those needed.

    Without a source, the mean face moves, in the space `arkit52`.
    """
    portrait, sound = item
    digests, frames = job.workspace.digests, frames_of(sound.seconds, audio_options.fps)
    # Derived from file contents, so that neither file names nor the order of work change a result.
    own = digests.digest(portrait) if portrait else ""
    seed = seed_of(audio_options.sampling.seed, f"{own}/{digests.digest(sound.path)}", take)
    inputs: dict[str, Any] = {"features": sound_features.output("features.npz")}
    if source is not None:
        inputs["source"] = source
    if head is not None:
        inputs["head"] = head
    return job.run(
        speech.STAGE,
        inputs,
        speech.Params(replace(audio_options.sampling, seed=seed), str(audio_options.fps), frames),
        weights=weights,
        label=f"speech {take + 1}",
        frames=frames,
    )


def _render(job: Job, work: AudioJob, source: Fitted, generated: Made) -> tuple[Made, list[Made]]:
    """Render the frames and join them with the sound. Return the video and its segments."""
    driver = Medium(work.sound.path, "sound", work.frames, has_sound=True, fps=work.audio_options.fps)
    scene = Scene(work.source, source, driver, None, work.options, work.weights)
    # Without a driver the stage returns its source; here that is the generated motion.
    motion_inputs = {"source": generated.output("motion.npz")}
    segments = render_segments(job, scene, motion_inputs, motion.Params(), work.frames)
    return join(job, scene, segments), segments


def _finish(job: Job, work: AudioJob, take: int, result: Made, generated: Made, before: list[Made]) -> None:
    """Make contact sheet and report, and deliver all files with a sidecar. In a dry run emit an estimate instead."""
    extras: dict[Path, Made] = {}
    if path := work.beside(work.options.sheet, take):
        extras[path] = job.run(
            sheet.STAGE, {"results": [result_of(result, work.options)]}, sheet.Params(), label="sheet"
        )
    if path := work.beside(work.audio_options.report, take):
        inputs = {
            "sound": work.sound.path,
            "motion": generated.output("motion.npz"),
            "result": result_of(result, work.options),
        }
        face_model, params = {"face-model": work.weights["face-model"]}, report.Params(track=work.options.track)
        extras[path] = job.run(report.STAGE, inputs, params, weights=face_model, label="report")
    provenance = work.options.provenance
    extras = {path: signed(job, made, provenance, _inputs(work), f"sign {path.name}") for path, made in extras.items()}
    unsigned, result = result, signed(job, result, provenance, _inputs(work))
    if isinstance(result, Pending):
        driver = Medium(work.sound.path, "motion", work.frames, has_sound=True, fps=work.audio_options.fps)
        job.emit(estimate(work.source, driver, work.options, frames=work.frames, still=False))
    if job.dry_run or not isinstance(result, Artefact):
        return
    out = work.outs[take]
    outs = {out: result.sole_output()}
    outs |= {path: made.sole_output() for path, made in extras.items() if isinstance(made, Artefact)}
    made = {one.folder: one for one in (*before, unsigned, result) if isinstance(one, Artefact)}
    deliver(job, outs, _about(job, work, take, list(made.values())), overwrite=work.options.overwrite)


def _inputs(work: AudioJob) -> dict[str, Path]:
    head = {"head": work.head.path} if work.head else {}
    return {"source": work.source.path, "sound": work.sound.path, **head}


def _about(job: Job, work: AudioJob, take: int, made: list[Artefact]) -> Mapping[str, Any]:
    """Return the provenance of a take for the sidecar: inputs, options, stages, weights."""
    digests = job.workspace.digests
    kinds = {"source": work.source.kind, "sound": "sound", "head": work.head.kind if work.head else ""}
    return {
        "inputs": {
            role: {**described_input(path, job.workspace), "kind": kinds[role], "sha256": digests.digest(path)}
            for role, path in _inputs(work).items()
        }
        | described_references(work.options, digests)
        | described_backdrop(work.options, digests)
        | described_pictures(work.options, digests),
        **work.options.provenance.about(digests),
        "command": work.options.invocation,
        "options": {**work.options.as_json(), **work.audio_options.as_json()},
        "take": take + 1,
        "stages": [described(one) for one in made],
        "weights": {name: weight.sha256 for name, weight in work.weights.items()},
    }
