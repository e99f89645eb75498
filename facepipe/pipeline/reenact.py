"""The main job: a source portrait moves as a driver does, or as sliders say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facepipe import weights
from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.face.coefficients import read_header
from facepipe.media.encode import check_codec
from facepipe.pipeline.delivery import check_destination, deliver
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium, all_of, find_weights, inspect
from stages import coefficients, crop, motion, mux, render

WEIGHTS = ("detector", "landmarker", "face-model")
Made = Artefact | Pending


@dataclass(frozen=True)
class Fitted:
    """A medium cropped and fitted."""

    crop: Made
    coefficients: Made


@dataclass(frozen=True)
class Reenactment:
    """What is to be made of what, checked."""

    source: Medium
    driver: Medium | None
    out: Path
    options: Options
    weights: Mapping[str, weights.WeightFile]

    @property
    def still(self) -> bool:
        """Whether the result is one picture."""
        return self.out.suffix.lower() not in (".mp4", ".m4v", ".mov")


def prepare(job: Job, source: Path, driver: Path | None, out: Path, options: Options) -> Reenactment:
    """Check everything that can be checked before the first frame; raise one error that tells all that is wrong."""
    digests = job.workspace.digests
    found = all_of(
        [
            lambda: inspect(source, options.limits),
            lambda: inspect(driver, options.limits, motion=True) if driver else None,
            lambda: find_weights(*WEIGHTS),
            lambda: check_codec(options.codec),
            lambda: check_destination(out, digests, overwrite=options.overwrite),
            lambda: None if job.dry_run else job.workspace.precheck(),
        ]
    )
    return Reenactment(source=found[0], driver=found[1], out=out, weights=found[2], options=options)


def reenact(job: Job, work: Reenactment) -> Made:
    """Make, or find made, the result; deliver it unless this is a dry run. Return the artefact that holds it."""
    source = fit_medium(job, work, work.source, still=True)
    driver = fit_medium(job, work, work.driver, still=False) if work.driver and work.driver.kind != "motion" else None
    driving: Output | Pending | Path | None = work.driver.path if work.driver and work.driver.kind == "motion" else None
    if driver:
        driving = driver.coefficients.output("coefficients.npz")
    count = 1 if work.still else frame_count(work, driving)
    length = work.options.segment_frames
    segments = [
        _segment(job, work, source, driver, driving, first, min(length, count - first))
        for first in range(0, count, length)
    ]
    result = segments[0] if work.still else _joined(job, work, segments)
    if isinstance(result, Artefact):
        name = "picture.png" if work.still else "result.mp4"
        _deliver(job, work, result.output(name), [source, driver], segments, result)
    return result


def fit_medium(job: Job, work: Reenactment, medium: Medium, *, still: bool) -> Fitted:
    """Crop and fit the source or the driver."""
    options, role = work.options, "source" if still else "driver"
    params = crop.Params(
        face=options.face if still else options.driver_face,
        no_face="hold" if still else options.no_face,
        still=options.source_frame if still and medium.kind == "video" else "",
        size_pixels=options.size_pixels,
        pictures=still,
        max_pixels=options.limits.max_pixels,
        max_duration_seconds=options.limits.max_duration_seconds,
    )
    perception = {name: work.weights[name] for name in crop.STAGE.weights}
    cropped = job.run(
        crop.STAGE, {"media": medium.path}, params, weights=perception, label=f"crop {role}", frames=medium.frames
    )
    smoothing = "none" if still else options.smoothing
    fitted = job.run(
        coefficients.STAGE,
        {"track": cropped.output("track.npz")},
        coefficients.Params(smoothing=smoothing),
        weights={"face-model": work.weights["face-model"]},
        label=f"fit {role}",
        frames=medium.frames,
    )
    return Fitted(cropped, fitted)


def frame_count(work: Reenactment, driving: Output | Pending | Path | None) -> int:
    """Return how many frames the result has; in a dry run before the driver was fitted, an estimate."""
    if driving is None:
        return work.options.edit.sweep_frames or 1
    if isinstance(driving, Pending):
        assert work.driver is not None
        return max(1, work.driver.frames)
    header = read_header(driving.path if isinstance(driving, Output) else driving)
    return int(header["valid_frames"] if work.options.no_face == "cut" else header["frame_count"])


def _segment(
    job: Job,
    work: Reenactment,
    source: Fitted,
    driver: Fitted | None,
    driving: Output | Pending | Path | None,
    first: int,
    count: int,
) -> Made:
    options, number = work.options, first // work.options.segment_frames + 1
    face_model = {"face-model": work.weights["face-model"]}
    own = source.coefficients.output("coefficients.npz")
    moved = job.run(
        motion.STAGE,
        {"source": own, **({"driving": driving} if driving is not None else {})},
        motion.Params(
            first_frame=first,
            frame_count=count,
            retargeting=options.retargeting,
            no_face=_policy(options.no_face),
            edit=options.edit,
        ),
        weights=face_model,
        label=f"motion {number}",
        frames=count,
    )
    inputs = {
        "picture": source.crop.output("crop.png"),
        "track": source.crop.output("track.npz"),
        "source": own,
        "motion": moved.output("motion.npz"),
    }
    if options.paste_back:
        inputs["full"] = source.crop.output("picture.png") if work.source.kind == "video" else work.source.path
    if options.grid and driver and work.driver:
        inputs |= {"driver": work.driver.path, "driver_track": driver.crop.output("track.npz")}
    params = render.Params(
        renderer=options.renderer,
        first_frame=first if options.grid else 0,
        still=work.still,
        grid=options.grid,
        quality=options.quality,
        codec=options.codec,
    )
    return job.run(render.STAGE, inputs, params, weights=face_model, label=f"render {number}", frames=count)


def _policy(no_face: str) -> motion.NoFace:
    # Failing is the business of the crop; what is left of it needs nothing more.
    return "hold" if no_face == "fail" else no_face  # type: ignore[return-value]


def _joined(job: Job, work: Reenactment, segments: list[Made]) -> Made:
    options = work.options
    inputs = {"segments": [segment.output("segment.mp4") for segment in segments]}
    if work.driver and work.driver.has_sound:
        inputs["sound"] = work.driver.path
    params = mux.Params(fit=options.fit, quality=options.quality, codec=options.codec)
    return job.run(mux.STAGE, inputs, params, label="mux")


def _deliver(
    job: Job, work: Reenactment, result: Output, fitted: list[Fitted | None], segments: list[Made], last: Artefact
) -> None:
    """Bring the result to its place, with a sidecar that says what it was made of."""
    stages = [made for pair in fitted if pair for made in (pair.crop, pair.coefficients)] + segments + [last]
    about = {
        "source": {"path": str(work.source.path)},
        "driver": {"path": str(work.driver.path)} if work.driver else None,
        "stages": [
            {"stage": made.record.identity.stage, "fingerprint": made.folder.name, "facts": dict(made.facts)}
            for made in stages
            if isinstance(made, Artefact)
        ],
        "weights": {name: weight.sha256 for name, weight in work.weights.items()},
    }
    deliver(result, work.out, job.workspace.digests, about)
