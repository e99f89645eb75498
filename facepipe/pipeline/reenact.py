"""The main job: a source portrait moves as a driver does, or as sliders say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.events import Result
from facepipe.errors import UsageError
from facepipe.media.encode import check_codec
from facepipe.motion.drawing import WEIGHT
from facepipe.motion.sliders import check_edit, read_bounds, told
from facepipe.pipeline.delivery import check_apart, check_destination, deliver, described, sidecar_of
from facepipe.pipeline.estimate import estimate
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Fitted, Made, Weights, fit_driver, fit_source, perception_weights
from facepipe.pipeline.precheck import Medium, all_of, check_work_folder, find_weights, inspect
from facepipe.pipeline.provenance import signed
from facepipe.pipeline.rendering import Scene, join, render_segments, renderer_weights
from facepipe.spaces import SPACES
from facepipe.spaces.files import read_header
from facepipe.spaces.retargeting import Retargeting
from stages import motion, sheet

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Reenactment:
    """What is to be made of what, checked."""

    source: Medium
    driver: Medium | None
    out: Path
    options: Options
    weights: Weights

    @property
    def still(self) -> bool:
        """Whether the result is one picture."""
        return is_picture(self.out)


def is_picture(out: Path) -> bool:
    """Tell by its name whether a result is a picture and not a video. Raises UsageError for any other name."""
    suffix = out.suffix.lower()
    if suffix not in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES):
        raise UsageError(
            f"the result is to be called {out}, of which the kind cannot be told; end the name in .mp4 for a video, "
            "or in .png, .jpg or .webp for a picture"
        )
    return suffix in PICTURE_SUFFIXES


def prepare(job: Job, source: Path, driver: Path | None, out: Path, options: Options) -> Reenactment:
    """Check everything that can be checked before the first frame; raise one error that tells all that is wrong."""
    digests, outs = job.workspace.digests, [out, *([options.sheet] if options.sheet else [])]
    still = is_picture(out)
    if options.sheet and options.sheet.suffix.lower() != ".png":
        raise UsageError(f"the contact sheet is to be called {options.sheet}; it is a PNG, so end its name in .png")
    check_apart(outs, [source, *([driver] if driver else []), *options.provenance.paths()])
    found = all_of(
        [
            lambda: inspect(source, options.limits),
            lambda: inspect(driver, options.limits, motion=options.space) if driver else None,
            lambda: perception_weights(options),
            lambda: {**renderer_weights(options), **(find_weights(WEIGHT) if options.edit.draw else {})},
            lambda: check_codec(options.codec),
            options.provenance.check,
            *(
                lambda path=path: check_destination(
                    path, digests, overwrite=options.overwrite, described_by=sidecar_of(out)
                )
                for path in outs
            ),
            lambda: check_work_folder(job),
        ]
    )
    work = Reenactment(source=found[0], driver=found[1], out=out, weights={**found[2], **found[3]}, options=options)
    check_edit(options.edit, read_bounds(work.weights["face-model"].path), space=SPACES[options.space])
    if still and (frames := work.driver.frames if work.driver else options.edit.frames) > 1:
        raise UsageError(f"{out} is a picture, but the motion has {frames} frames; end the name in .mp4")
    return replace(work, options=replace(options, retargeting=_retargeting(work)))


def _retargeting(work: Reenactment) -> Retargeting:
    """Return the way of retargeting; the motion of a single frame relative to itself would be none."""
    wanted = work.options.retargeting
    return replace(wanted, motion="absolute") if work.driver and work.driver.frames == 1 else wanted


def reenact(job: Job, work: Reenactment) -> Made:
    """Make, or find made, the result; deliver it unless this is a dry run. Return the artefact that holds it."""
    options, driver = work.options, work.driver
    source = fit_source(job, work.source, options, work.weights)
    fitted = fit_driver(job, driver, options, work.weights) if driver and driver.kind != "motion" else None
    driving = _driving(work, fitted)
    scene = Scene(
        source=work.source,
        fitted=source,
        driver=driver,
        tracked=fitted.crop if fitted else None,
        options=options,
        weights=work.weights,
        picture=work.out.suffix.lower().lstrip(".").replace("jpeg", "jpg") if work.still else "",
    )
    count = 1 if work.still else _frame_count(work, driving)
    own = source.coefficients.output("coefficients.npz")
    moved = {"source": own, **({"driving": driving} if driving is not None else {})}
    params = motion.Params(retargeting=options.retargeting, no_face=_policy(options.no_face), edit=options.edit)
    segments = render_segments(job, scene, moved, params, count)
    result = segments[0] if work.still else join(job, scene, segments, cut_by=_cut_by(work, fitted))
    finish(job, work, result, [*_made(source), *_made(fitted), *segments])
    return result


def _made(fitted: Fitted | None) -> list[Made]:
    return [fitted.crop, fitted.coefficients] if fitted else []


def _driving(work: Reenactment, fitted: Fitted | None) -> Output | Pending | Path | None:
    if fitted:
        return fitted.coefficients.output("coefficients.npz")
    return work.driver.path if work.driver else None


def _cut_by(work: Reenactment, fitted: Fitted | None) -> Output | Pending | None:
    """Return the driver's coefficients if its frames without a face are cut, else None."""
    if not fitted or work.options.no_face != "cut":
        return None
    coefficients = fitted.coefficients
    if isinstance(coefficients, Artefact) and coefficients.facts["frames_without_face"] == 0:
        return None
    return coefficients.output("coefficients.npz")


def _frame_count(work: Reenactment, driving: Output | Pending | Path | None) -> int:
    """Return how many frames the result has; in a dry run before the driver was fitted, an estimate."""
    if driving is None or work.options.edit.frames:
        return work.options.edit.frames or 1
    if isinstance(driving, Pending):
        assert work.driver is not None
        return max(1, work.driver.frames)
    header = read_header(driving.path if isinstance(driving, Output) else driving)
    return int(header["valid_frames"] if work.options.no_face == "cut" else header["frame_count"])


def _policy(no_face: str) -> motion.NoFace:
    # Failing is the business of the crop; what is left of it needs nothing more.
    return "hold" if no_face == "fail" else cast("motion.NoFace", no_face)


def finish(job: Job, work: Reenactment, result: Made, before: list[Made]) -> None:
    """Make the contact sheet and bring all to its place with a sidecar; in a dry run tell what it will take."""
    laid = _sheet(job, work, result, before[0]) if work.options.sheet else None
    laid = laid and vouched(job, work, laid, "sign contact sheet")
    unsigned, result = result, vouched(job, work, result, "sign")
    if isinstance(result, Pending):
        frames = 1 if work.still else _frame_count(work, Pending("") if work.driver else None)
        job.emit(estimate(work.source, work.driver, work.options, frames=frames, still=work.still))
    if job.dry_run or not isinstance(result, Artefact):
        return
    outs = {work.out: result.sole_output()}
    if isinstance(laid, Artefact) and work.options.sheet:
        outs[work.options.sheet] = laid.sole_output()
    stages = {one.folder: one for one in [*before, unsigned, result] if isinstance(one, Artefact)}
    changed = deliver(outs, job.workspace.digests, about(job, work, list(stages.values())))
    job.emit(Result(path=str(work.out), changed=changed))


def _sheet(job: Job, work: Reenactment, result: Made, source: Made) -> Made:
    labels, driver = [told(work.options.edit.values) or "result"], work.driver
    if work.still and driver and driver.kind == "image":
        return lay_out(job, work.options, [driver.path, result], source, ["driver", *labels])
    return lay_out(job, work.options, [result], source if work.still else None, labels)


def lay_out(
    job: Job, options: Options, results: Sequence[Made | Path], source: Made | None, labels: Sequence[str]
) -> Made:
    """Lay out pictures with their labels, the source first where it is given, or one video."""
    inputs: dict[str, Any] = {
        "results": [one.sole_output() if isinstance(one, Artefact) else one for one in results],
        **({"source": source.output("crop.png")} if source else {}),
    }
    params = sheet.Params(labels=tuple(labels), sweeps=options.edit.sweeps)
    return job.run(sheet.STAGE, inputs, params, label="contact sheet")


def vouched(job: Job, work: Reenactment, made: Made, label: str) -> Made:
    """Return something that shows the result, signed where that is asked for."""
    return signed(job, made, work.options.provenance, _inputs(work), label)


def _inputs(work: Reenactment) -> Mapping[str, Path]:
    return {"source": work.source.path, **({"driver": work.driver.path} if work.driver else {})}


def about(job: Job, work: Reenactment, stages: list[Artefact]) -> Mapping[str, Any]:
    """Return what the sidecar says of where a result comes from."""
    media = {"source": work.source, **({"driver": work.driver} if work.driver else {})}
    digests = job.workspace.digests
    return {
        "inputs": {
            role: {"path": str(medium.path), "kind": medium.kind, "sha256": digests.digest(medium.path)}
            for role, medium in media.items()
        },
        **work.options.provenance.about(digests),
        "options": work.options.as_json(),
        "stages": [described(made) for made in stages],
        "weights": {name: weight.sha256 for name, weight in work.weights.items()},
    }
