"""The job of `reenact` and `edit`: a source portrait is animated by a driver or by sliders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.streaming import stream
from facepipe.errors import InputError, UsageError
from facepipe.face.units import WEIGHT as FACE_UNITS
from facepipe.media.encode import check_codec
from facepipe.media.sound import probe_sound
from facepipe.motion.drawing import WEIGHT
from facepipe.motion.sliders import check_edit, label_of, read_bounds
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
    perception_weights,
    read_take,
)
from facepipe.pipeline.precheck import (
    Medium,
    all_of,
    check_reference,
    check_work_folder,
    find_weights,
    inspect,
    inspect_motion,
)
from facepipe.pipeline.provenance import signed
from facepipe.pipeline.rendering import Scene, join, render_segments, renderer_weights, segments_of
from facepipe.pipeline.sources import described_pictures, fit_source, inspect_source
from facepipe.rendering.source import Picture
from facepipe.spaces import SPACES
from facepipe.spaces.files import read_header
from facepipe.stages import motion, render, sheet

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The checked inputs of a reenactment."""

    source: Medium
    driver: Medium | None
    options: Options
    weights: Weights


@dataclass(frozen=True, kw_only=True)
class Reenactment(Inputs):
    """A reenactment whose result is a file."""

    out: Path

    @property
    def still(self) -> bool:
        """Whether the result is a picture."""
        return is_picture(self.out)


def is_picture(out: Path) -> bool:
    """Return whether a result is a picture or a video (False), by its suffix. Raises UsageError for another suffix."""
    suffix = out.suffix.lower()
    if suffix not in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES):
        raise UsageError(
            f"-o is {out}, which has no known suffix; use a name ending in .mp4 or .webm for a video, or in .png, .jpg "
            "or .webp for a picture"
        )
    return suffix in PICTURE_SUFFIXES


def prepare(job: Job, source: Path, driver: Path | None, out: Path, options: Options) -> Reenactment:
    """Check everything that can be checked before the first frame. Raises one error that lists all faults."""
    digests, outs = job.workspace.digests, [out, *([options.sheet] if options.sheet else [])]
    still = is_picture(out)
    if options.sheet and options.sheet.suffix.lower() != ".png":
        raise UsageError(f"--sheet is {options.sheet}, but the contact sheet is a PNG; use a name ending in .png")
    check_apart(outs, [source, *([driver] if driver else []), *options.named_files()])
    destinations: list[Callable[[], Any]] = [
        partial(check_destination, path, digests, overwrite=options.overwrite, described_by=sidecar_of(out))
        for path in outs
    ]
    checks: list[Callable[[], Any]] = [partial(check_codec, options.codec), options.provenance.check, *destinations]
    found = check_inputs(job, source, driver, options, checks)
    if still and (frames := found.driver.frames if found.driver else options.edit.frames) > 1:
        raise UsageError(f"-o is {out}, a picture, but the motion has {frames} frames; use a name ending in .mp4")
    return Reenactment(source=found.source, driver=found.driver, options=found.options, weights=found.weights, out=out)


def check_inputs(
    job: Job, source: Path, driver: Path | None, options: Options, checks: Iterable[Callable[[], Any]] = ()
) -> Inputs:
    """Check inputs, weights, work folder and `checks`. Raises one error that lists all faults."""
    medium, driving, perception, rendering = all_of(
        [
            lambda: inspect_source(source, options),
            lambda: _inspect_driver(driver, options) if driver else None,
            lambda: {**perception_weights(options), **_take_weights(driver)},
            lambda: {**renderer_weights(options), **(find_weights(WEIGHT) if options.edit.draw else {})},
            *checks,
            lambda: check_backdrop(options),
            lambda: check_work_folder(job),
        ]
    )[:4]
    weights = {**perception, **rendering}
    check_edit(options.edit, read_bounds(weights["face-model"].path), space=SPACES[options.space])
    if driving and driving.frames == 1:
        # Motion relative to the only frame would be zero.
        options = replace(options, retargeting=replace(options.retargeting, motion="absolute"))
    return Inputs(source=medium, driver=driving, options=options, weights=weights)


def _inspect_driver(driver: Path, options: Options) -> Medium:
    medium = inspect(driver, options.limits, motion=options.space)
    if medium.kind == "motion" and options.retargeting.keypoints == "driver":
        inspect_motion(driver, options.space)
    check_reference(medium, options.retargeting.reference)
    if options.track and not medium.has_sound:
        raise InputError(f"{driver}: has no sound, and --track {options.track} names a sound track; leave it out")
    if options.track:
        probe_sound(driver, options.limits, track=options.track)
    return medium


def _take_weights(driver: Path | None) -> Weights:
    return find_weights(FACE_UNITS) if driver and is_take(driver) else {}


def reenact(job: Job, work: Reenactment) -> Made:
    """Make the result, or find it in the store, and deliver it unless this is a dry run. Return its artefact."""
    fitted = fit(job, work)
    scene, count = fitted.scene, fitted.frames
    if work.still:
        scene, count = replace(scene, picture=work.out.suffix.lower().lstrip(".").replace("jpeg", "jpg")), 1
    segments = render_segments(job, scene, fitted.motion_inputs, fitted.params, count)
    result = segments[0] if work.still else join(job, scene, segments, cut_by=_cut_by(work, fitted.driver))
    read = [fitted.read] if fitted.read else []
    finish(job, work, result, [*_made(scene.fitted), *_made(fitted.driver), *read, *segments])
    return result


def stream_frames(job: Job, inputs: Inputs) -> Iterator[Picture]:
    """Yield the frames of a reenactment, (H, W, 3) uint8 RGB, as they are rendered, without encoding or storing them.

    With a transparent background they are (H, W, 4), with straight alpha.
    Tracks, coefficients and motion are read from the store, or made and stored.
    """
    fitted = fit(job, inputs)
    for segment in segments_of(job, fitted.scene, fitted.motion_inputs, fitted.params, fitted.frames):
        yield from stream(
            job,
            render.STAGE,
            render.frames_of,
            segment.inputs,
            segment.params,
            weights=segment.weights,
            label=f"render {segment.number}",
            frames=segment.frames,
        )


@dataclass(frozen=True)
class FittedInputs:
    """A reenactment that is ready to be rendered."""

    scene: Scene
    driver: Fitted | None
    """None without a driver, and for a motion file."""
    motion_inputs: Mapping[str, Output | Pending | Path]
    """Inputs of the stage `motion`."""
    params: motion.Params
    frames: int
    read: Made | None = None
    """The motion of a take of Live Link Face."""


def fit(job: Job, inputs: Inputs) -> FittedInputs:
    """Track source and driver and estimate their coefficients."""
    options, driver = inputs.options, inputs.driver
    source = fit_source(job, inputs.source, options, inputs.weights)
    fitted = fit_driver(job, driver, options, inputs.weights) if driver and driver.kind != "motion" else None
    read = read_take(job, driver.path, "take", frames=driver.frames) if driver and is_take(driver.path) else None
    driving = read.output("coefficients.npz") if read else _driving(inputs, fitted)
    scene = Scene(
        source=inputs.source,
        fitted=source,
        driver=driver,
        tracked=fitted.crop if fitted else None,
        options=options,
        weights=inputs.weights,
    )
    own = source.coefficients.output("coefficients.npz")
    motion_inputs = {"source": own, **({"driving": driving} if driving is not None else {})}
    params = motion.Params(retargeting=options.retargeting, no_face=_policy(options.no_face), edit=options.edit)
    return FittedInputs(scene, fitted, motion_inputs, params, _frame_count(inputs, driving), read)


def _made(fitted: Fitted | None) -> list[Made]:
    return fitted.made if fitted else []


def _driving(work: Inputs, fitted: Fitted | None) -> Output | Pending | Path | None:
    if fitted:
        return fitted.coefficients.output("coefficients.npz")
    return work.driver.path if work.driver else None


def _cut_by(work: Inputs, fitted: Fitted | None) -> Output | Pending | None:
    """Return the driver's coefficients if its frames without a face are cut, else None."""
    if not fitted or work.options.no_face != "cut":
        return None
    coefficients = fitted.coefficients
    if isinstance(coefficients, Artefact) and coefficients.facts["frames_without_face"] == 0:
        return None
    return coefficients.output("coefficients.npz")


def _frame_count(work: Inputs, driving: Output | Pending | Path | None) -> int:
    """Return the number of frames of the result; an estimate if the driver has not been tracked, in a dry run."""
    if driving is None or work.options.edit.frames:
        return work.options.edit.frames or 1
    if isinstance(driving, Pending):
        assert work.driver is not None
        return max(1, work.driver.frames)
    header = read_header(driving.path if isinstance(driving, Output) else driving)
    return int(header["valid_frames"] if work.options.no_face == "cut" else header["frame_count"])


def _policy(no_face: str) -> motion.NoFace:
    # With "fail" the stage `crop` has already failed if a frame has no face.
    return "hold" if no_face == "fail" else cast("motion.NoFace", no_face)


def finish(job: Job, work: Reenactment, result: Made, before: list[Made]) -> None:
    """Make the contact sheet and deliver all files with a sidecar. In a dry run emit an estimate instead."""
    contact_sheet = _sheet(job, work, result, before[0]) if work.options.sheet else None
    contact_sheet = contact_sheet and sign_result(job, work, contact_sheet, "sign contact sheet")
    unsigned, result = result, sign_result(job, work, result, "sign")
    if isinstance(result, Pending):
        frames = 1 if work.still else _frame_count(work, Pending("") if work.driver else None)
        job.emit(estimate(work.source, work.driver, work.options, frames=frames, still=work.still))
    if job.dry_run or not isinstance(result, Artefact):
        return
    outs = {work.out: result.sole_output()}
    if isinstance(contact_sheet, Artefact) and work.options.sheet:
        outs[work.options.sheet] = contact_sheet.sole_output()
    stages = {one.folder: one for one in [*before, unsigned, result] if isinstance(one, Artefact)}
    deliver(job, outs, about(job, work, list(stages.values())), overwrite=work.options.overwrite)


def _sheet(job: Job, work: Reenactment, result: Made, source: Made) -> Made:
    labels, driver = [label_of(work.options.edit.values) or "result"], work.driver
    if work.still and driver and driver.kind == "image":
        return lay_out(job, work.options, [driver.path, result], source, ["driver", *labels])
    return lay_out(job, work.options, [result], source if work.still else None, labels)


def lay_out(
    job: Job, options: Options, results: Sequence[Made | Path], source: Made | None, labels: Sequence[str]
) -> Made:
    """Make the contact sheet of labelled pictures, with the source first if given, or of one video."""
    inputs: dict[str, Any] = {
        "results": [one.sole_output() if isinstance(one, Artefact) else one for one in results],
        **({"source": source.output("crop.png")} if source else {}),
    }
    params = sheet.Params(labels=tuple(labels), sweeps=options.edit.sweeps)
    return job.run(sheet.STAGE, inputs, params, label="contact sheet")


def sign_result(job: Job, work: Reenactment, made: Made, label: str) -> Made:
    """Return a result or contact sheet, signed if the job has credentials."""
    return signed(job, made, work.options.provenance, _inputs(work), label)


def _inputs(work: Reenactment) -> Mapping[str, Path]:
    return {"source": work.source.path, **({"driver": work.driver.path} if work.driver else {})}


def about(job: Job, work: Reenactment, stages: list[Artefact]) -> Mapping[str, Any]:
    """Return the provenance of a result for the sidecar: inputs, options, stages, weights."""
    media = {"source": work.source, **({"driver": work.driver} if work.driver else {})}
    digests = job.workspace.digests
    return {
        "inputs": {
            role: {
                **described_input(medium.path, job.workspace),
                "kind": medium.kind,
                "sha256": digests.digest(medium.path),
            }
            for role, medium in media.items()
        }
        | described_references(work.options, digests)
        | described_backdrop(work.options, digests)
        | described_pictures(work.options, digests),
        **work.options.provenance.about(digests),
        "command": work.options.invocation,
        "options": work.options.as_json(),
        "stages": [described(made) for made in stages],
        "weights": {name: weight.sha256 for name, weight in work.weights.items()},
    }
