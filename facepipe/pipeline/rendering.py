"""From motion to frames: the segments of a result, and the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from facepipe import __version__
from facepipe.engine import Job, Output, Pending
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Fitted, Made, Weights
from facepipe.pipeline.precheck import Medium
from stages import motion, mux, render

Input = Output | Pending | Path


@dataclass(frozen=True)
class Scene:
    """What is drawn, and how."""

    source: Medium
    fitted: Fitted
    driver: Medium | None
    tracked: Made | None
    """The driver's track, where it has pictures."""
    options: Options
    weights: Weights
    picture: str = ""
    """png, jpg or webp where the result is a picture; empty for a video."""


def render_segments(
    job: Job, scene: Scene, moved: Mapping[str, Input], params: motion.Params, count: int
) -> list[Made]:
    """Move and draw `count` frames, segment by segment; `moved` are the inputs of the stage motion."""
    length = scene.options.segment_frames
    return [_segment(job, scene, moved, params, first, min(length, count - first)) for first in range(0, count, length)]


def _segment(job: Job, scene: Scene, moved: Mapping[str, Input], params: motion.Params, first: int, count: int) -> Made:
    number = first // scene.options.segment_frames + 1
    face_model = {"face-model": scene.weights["face-model"]}
    rows = job.run(
        motion.STAGE,
        moved,
        replace(params, first_frame=first, frame_count=count),
        weights=face_model,
        label=f"motion {number}",
        frames=count,
    )
    return job.run(
        render.STAGE,
        _inputs(scene, rows),
        _params(scene, first),
        weights=face_model,
        label=f"render {number}",
        frames=count,
    )


def _inputs(scene: Scene, rows: Made) -> dict[str, Input]:
    cropped, options = scene.fitted.crop, scene.options
    inputs: dict[str, Input] = {
        "picture": cropped.output("crop.png"),
        "track": cropped.output("track.npz"),
        "source": scene.fitted.coefficients.output("coefficients.npz"),
        "motion": rows.output("motion.npz"),
    }
    if options.paste_back:
        inputs["full"] = cropped.output("picture.png") if scene.source.kind == "video" else scene.source.path
    if options.grid and scene.driver and scene.tracked:
        inputs |= {"driver": scene.driver.path, "driver_track": scene.tracked.output("track.npz")}
    return inputs


def _params(scene: Scene, first: int) -> render.Params:
    options = scene.options
    shows_driver = options.grid and scene.tracked is not None
    params = render.Params(
        renderer=options.renderer,
        # What only the grid depends on stays out of the fingerprint without one.
        first_frame=first if shows_driver else 0,
        grid=options.grid,
        cut=shows_driver and options.no_face == "cut",
    )
    if scene.picture:
        return replace(params, picture=scene.picture, program=f"facepipe {__version__}")
    return replace(params, quality=options.quality, codec=options.codec)


def join(job: Job, scene: Scene, segments: list[Made], *, kept: Output | Pending | None = None) -> Made:
    """Join segments into the whole, with the driver's sound where it has some."""
    options = scene.options
    inputs: dict[str, Input | list[Input]] = {
        "segments": [segment.output("segment.mp4") for segment in segments],
    }
    if scene.driver and scene.driver.has_sound:
        inputs["sound"] = scene.driver.path
        if kept is not None:
            inputs["kept"] = kept
    params = mux.Params(fit=options.fit, quality=options.quality, codec=options.codec)
    return job.run(mux.STAGE, inputs, params, label="mux")
