"""From motion to frames: the segments of a result, and the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from facepipe import __version__
from facepipe.engine import Job, Output, Pending
from facepipe.errors import UsageError
from facepipe.face.bfm import BASIS as BFM
from facepipe.face.bfm.estimation import FRAME_PIXELS
from facepipe.motion.drawing import WEIGHT
from facepipe.motion.retargeting import Retargeting
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Fitted, Made, Weights, perception_weights
from facepipe.pipeline.precheck import Medium, all_of, find_weights
from facepipe.renderers import RENDERERS
from facepipe.weights import WeightFile, find, lookup
from stages import motion, mux, render

Input = Output | Pending | Path
NETWORK = "network"
"""How the stage calls the renderer's network, whichever it is."""


def renderer_for(network: str, basis: str, *, otherwise: str) -> str:
    """Return the renderer that takes a network (a registry name, or nothing) or else a basis ("auto": any).

    Raises UsageError for a network of which it cannot be told, WeightsError for one that is not here.
    """
    if network:
        return _taker_of(network)
    if basis in ("auto", RENDERERS[otherwise].basis):
        return otherwise
    return next(name for name, kind in RENDERERS.items() if kind.basis == basis)


def _taker_of(network: str) -> str:
    """Return the renderer that takes a network: by its name, or by what its file says that it holds."""
    for name, kind in RENDERERS.items():
        if kind.network == network:
            return name
    with safe_open(find(network).path, framework="numpy") as file:
        held = (file.metadata() or {}).get("kind", "")
    for name, kind in RENDERERS.items():
        if held and held in (name, kind.network):
            return name
    raise UsageError(f"--weights names {network}, which is no network of a renderer{held and f' but a {held}'}")


def options_for(renderer: str, **others: Any) -> Options:
    """Return what a job is asked for that makes what a renderer draws from; in the basis `bfm` moved as published."""
    basis = RENDERERS[renderer].basis
    how = Retargeting(motion="absolute" if basis == BFM else "relative")
    return Options(renderer=renderer, basis=basis, retargeting=how, **others)


def check_weights(options: Options) -> None:
    """Raise one error that tells of all that a job lacks, and as `renderer_weights` does."""
    all_of([lambda: perception_weights(options), lambda: renderer_weights(options)])


def renderer_weights(options: Options) -> dict[str, WeightFile]:
    """Return the verified weights of the chosen renderer, its network as "network".

    Raises UsageError for a renderer, or a network, that wants coefficients of another basis than those of the job, for
    a network where none is wanted, and for a size that the renderer cannot draw; WeightsError for what is not here.
    """
    kind, name = RENDERERS[options.renderer], options.weights or RENDERERS[options.renderer].network
    _check_basis(f"the renderer {options.renderer}", kind.basis, options)
    if options.weights and not kind.network:
        raise UsageError(f"--weights names {options.weights}, but the renderer {options.renderer} has no network")
    if options.size_pixels % kind.side_multiple:
        raise UsageError(
            f"--size is {options.size_pixels}, but the renderer {options.renderer} draws multiples of "
            f"{kind.side_multiple} pixels; take {-(-options.size_pixels // kind.side_multiple) * kind.side_multiple}"
        )
    if kind.basis == BFM and options.size_pixels != FRAME_PIXELS:
        raise UsageError(
            f"--size is {options.size_pixels}, but coefficients of basis {BFM} speak of pixels of a crop of "
            f"{FRAME_PIXELS}, and the renderer {options.renderer} goes by them; leave --size out"
        )
    if name and (basis := lookup(name).basis):
        _check_basis(f"the weight {name}", basis, options)
    found = find_weights(*kind.weights, *([name] if name else []))
    return {NETWORK if one == name else one: file for one, file in found.items()}


def _check_basis(what: str, basis: str, options: Options) -> None:
    if basis != options.basis:
        fitting = ", ".join(name for name, kind in RENDERERS.items() if kind.basis == options.basis)
        raise UsageError(
            f"{what} wants coefficients of basis {basis}, but this job makes them in basis {options.basis}; renderers "
            f"for that: {fitting or 'none'}"
        )


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
    number, kind = first // scene.options.segment_frames + 1, RENDERERS[scene.options.renderer]
    rows = job.run(
        motion.STAGE,
        moved,
        replace(params, first_frame=first, frame_count=count, context_frames=kind.context_frames),
        weights={name: scene.weights[name] for name in ("face-model", *([WEIGHT] if params.edit.draw else []))},
        label=f"motion {number}",
        frames=count,
    )
    return job.run(
        render.STAGE,
        _inputs(scene, rows),
        _params(scene, first, count),
        weights={name: scene.weights[name] for name in (*kind.weights, *([NETWORK] if kind.network else []))},
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


def _params(scene: Scene, first: int, count: int) -> render.Params:
    options, context = scene.options, RENDERERS[scene.options.renderer].context_frames
    shows_driver = options.grid and scene.tracked is not None
    params = render.Params(
        renderer=options.renderer,
        compiled=options.compiled,
        # What only the grid depends on stays out of the fingerprint without one.
        first_frame=first if shows_driver else 0,
        grid=options.grid,
        cut=shows_driver and options.no_face == "cut",
        lead_frames=min(first, context),
        frame_count=count if context else 0,
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
