"""Rendering: the segments of a result, and joining them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe import __version__
from facepipe.engine import Job, Output, Pending
from facepipe.errors import UsageError
from facepipe.motion.drawing import WEIGHT
from facepipe.pipeline.networks import check_inputs
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Fitted, Made, Weights, motion_weights, path_of, perception_weights
from facepipe.pipeline.precheck import Medium, all_of, find_weights
from facepipe.renderers import RENDERERS, open_for
from facepipe.rendering.background_rule import SOURCE
from facepipe.rendering.source import SourceFiles
from facepipe.rendering.spec import MATTING, NETWORK, SourceKind
from facepipe.settings import MotionSettings
from facepipe.spaces.retargeting import Retargeting
from facepipe.stages import motion, mux, prepare, render
from facepipe.weights import WeightFile, lookup

if TYPE_CHECKING:
    from facepipe.rendering.spec import FrameRenderer

Input = Output | Pending | Path


def options_for(renderer: str, **others: Any) -> Options:
    """Return the Options of a job that renders by `renderer`, with the defaults of its motion space."""
    space = RENDERERS[renderer].motion_space
    motion = space.defaults.get("motion.motion", MotionSettings.motion)
    how = {
        "retargeting": Retargeting(motion=motion),  # type: ignore[arg-type]
        "smoothing": space.defaults.get("motion.smoothing", MotionSettings.smoothing),
    }
    background = RENDERERS[renderer].background if RENDERERS[renderer].has_alpha else ""
    return Options(**{"renderer": renderer, "space": space.name, "background": background, **how, **others})


def check_weights(options: Options) -> None:
    """Check all weights of a job. Raises one error that lists all faults, see `renderer_weights`."""
    all_of([lambda: perception_weights(options), lambda: renderer_weights(options)])


def renderer_weights(options: Options) -> dict[str, WeightFile]:
    """Return the verified weights of the chosen renderer; the key of its network is NETWORK.

    Raises UsageError if renderer or network need another motion space than the job's, if a network is given but the
    renderer has none, for a size that the renderer does not support, and for pictures or landmarks that the network
    does not use; WeightsError for missing or damaged weights.
    """
    spec, name = RENDERERS[options.renderer], _network_name(options)
    _check_space(f"the renderer {options.renderer}", spec.space, options)
    if options.weights and not spec.network:
        raise UsageError(
            f"--weights is {options.weights}, but the renderer {options.renderer} has no network; leave --weights out"
        )
    if options.size_pixels % spec.side_multiple:
        raise UsageError(
            f"--size is {options.size_pixels}, but the renderer {options.renderer} needs a multiple of "
            f"{spec.side_multiple}; use {-(-options.size_pixels // spec.side_multiple) * spec.side_multiple}"
        )
    if (needed := spec.motion_space.crop_pixels) and options.size_pixels != needed:
        raise UsageError(
            f"--size is {options.size_pixels}, but the motion space {spec.space} of the renderer {options.renderer} is "
            f"defined on crops of {needed} pixels; leave --size out"
        )
    if name and (space := lookup(name).space):
        _check_space(f"the weight {name}", space, options)
    found = find_weights(*renderer_weight_names(options))
    if spec.simple_kinds:
        check_inputs(found[name], options)
    return {NETWORK if one == name else one: file for one, file in found.items()}


def renderer_weight_names(options: Options) -> tuple[str, ...]:
    """Return the registry names of the weights that render: of the matting network if used, and of the renderer.

    The renderer's network is last.
    """
    spec, name = RENDERERS[options.renderer], _network_name(options)
    matting = (MATTING,) if spec.needs_matte or uses_matting(options) else ()
    return (*matting, *spec.weights, *([name] if name else []))


def uses_matting(options: Options) -> bool:
    """Return whether the stage `render` runs the matting network: on frames without alpha, or on the source."""
    spec = RENDERERS[options.renderer]
    lacks = not spec.has_alpha or (options.background == SOURCE and not spec.needs_matte)
    return bool(options.background) and lacks


def _network_name(options: Options) -> str:
    return options.weights or RENDERERS[options.renderer].network


def _check_space(what: str, space: str, options: Options) -> None:
    if space != options.space:
        fitting = ", ".join(name for name, spec in RENDERERS.items() if spec.space == options.space)
        raise UsageError(
            f"{what} needs the motion space {space}, but this job uses {options.space}; renderers for that: "
            f"{fitting or 'none'}"
        )


@dataclass(frozen=True)
class Scene:
    """The inputs, options and weights of a rendering."""

    source: Medium
    fitted: Fitted
    driver: Medium | None
    tracked: Made | None
    """The track of the driver, if the driver has pixels."""
    options: Options
    weights: Weights
    picture: str = ""
    """"png", "jpg" or "webp" if the result is a picture; empty for a video."""


@dataclass(frozen=True)
class Segment:
    """The arguments of the stage `render` for one segment of a result."""

    number: int
    """The number of the segment, from 1."""
    inputs: Mapping[str, Input]
    params: render.Params
    weights: Weights
    frames: int


def render_segments(
    job: Job, scene: Scene, motion_inputs: Mapping[str, Input], params: motion.Params, count: int
) -> list[Made]:
    """Retarget and render `count` frames in segments. `motion_inputs` are the inputs of the stage `motion`."""
    return [
        job.run(
            render.STAGE,
            segment.inputs,
            segment.params,
            weights=segment.weights,
            label=f"render {segment.number}",
            frames=segment.frames,
        )
        for segment in segments_of(job, scene, motion_inputs, params, count)
    ]


def segments_of(
    job: Job, scene: Scene, motion_inputs: Mapping[str, Input], params: motion.Params, count: int
) -> Iterator[Segment]:
    """Yield the segments of `count` frames, each as soon as its motion is ready."""
    length = scene.options.segment_frames
    prepared = prepare_source(job, scene)
    for first in range(0, count, length):
        yield _segment(job, scene, motion_inputs, params, prepared, first, min(length, count - first))


def prepare_source(job: Job, scene: Scene) -> Made | None:
    """Run the stage `prepare`, which computes what depends only on the source; None if the renderer has none."""
    spec = RENDERERS[scene.options.renderer]
    if spec.source == SourceKind.AVATAR:
        # The stage `avatar`, which made the source, has prepared it too.
        return scene.fitted.crop
    if not spec.prepare:
        return None
    return job.run(
        prepare.STAGE,
        {**_source_inputs(scene), **scene.fitted.further_inputs()},
        prepare.Params(spec.name),
        weights={name: scene.weights[name] for name in spec.files},
        label="prepare source",
        frames=1,
    )


def _segment(
    job: Job,
    scene: Scene,
    motion_inputs: Mapping[str, Input],
    params: motion.Params,
    prepared: Made | None,
    first: int,
    count: int,
) -> Segment:
    number, spec = first // scene.options.segment_frames + 1, RENDERERS[scene.options.renderer]
    part = replace(params, first_frame=first, frame_count=count, context_frames=spec.context_frames)
    rows = move(job, scene, motion_inputs, part, label=f"motion {number}", frames=count)
    inputs = {**_inputs(scene), "motion": rows.output("motion.npz")}
    if prepared is not None:
        inputs["prepared"] = prepared.output("prepared.safetensors")
    names = (*spec.files, *([MATTING] if uses_matting(scene.options) else []))
    weights = {name: scene.weights[name] for name in names}
    return Segment(number, inputs, _params(scene, first, count), weights, count)


def move(
    job: Job, scene: Scene, motion_inputs: Mapping[str, Input], params: motion.Params, *, label: str, frames: int
) -> Made:
    """Retarget and edit the motion of a scene. `motion_inputs` are the inputs of the stage `motion`."""
    weights = motion_weights(scene.options.space, scene.weights)
    weights |= {WEIGHT: scene.weights[WEIGHT]} if params.edit.draw else {}
    return job.run(motion.STAGE, motion_inputs, params, weights=weights, label=label, frames=frames)


def source_files(scene: Scene, prepared: Made | None) -> SourceFiles:
    """Return the files of the source. The stages `crop`, `coefficients` and `prepare` must have run."""
    cropped = scene.fitted.crop
    return SourceFiles(
        path_of(cropped, "crop.png"),
        path_of(cropped, "track.npz"),
        path_of(scene.fitted.coefficients, "coefficients.npz"),
        path_of(prepared, "prepared.safetensors") if prepared else None,
        path_of(scene.fitted.matte, "matte.png") if scene.fitted.matte else None,
    )


def open_scene(scene: Scene, prepared: Made | None) -> FrameRenderer:
    """Open the renderer of a scene on the files of finished stages, as the stage `render` does."""
    files = source_files(scene, prepared)
    weights = {name: scene.weights[name].path for name in RENDERERS[scene.options.renderer].files}
    return open_for(scene.options.renderer, weights, files, compiled=scene.options.compiled)


def _source_inputs(scene: Scene) -> dict[str, Input]:
    cropped, matte = scene.fitted.crop, scene.fitted.matte
    return {
        "picture": cropped.output("crop.png"),
        "track": cropped.output("track.npz"),
        "source": scene.fitted.coefficients.output("coefficients.npz"),
        **({"matte": matte.output("matte.png")} if matte else {}),
    }


def _inputs(scene: Scene) -> dict[str, Input]:
    cropped, options, inputs = scene.fitted.crop, scene.options, _source_inputs(scene)
    if options.paste_back:
        inputs["full"] = cropped.output("picture.png") if scene.source.kind == "video" else scene.source.path
    if options.backdrop:
        inputs["background"] = options.backdrop
    if options.grid and scene.driver and scene.tracked:
        inputs |= {"driver": scene.driver.path, "driver_track": scene.tracked.output("track.npz")}
    return inputs


def _params(scene: Scene, first: int, count: int) -> render.Params:
    options, context = scene.options, RENDERERS[scene.options.renderer].context_frames
    shows_driver = options.grid and scene.tracked is not None
    params = render.Params(
        renderer=options.renderer,
        compiled=options.compiled,
        # A picture is an input, so that its content counts and not its name.
        background=render.PICTURE if options.backdrop else options.background,
        # Only the grid depends on these; without a grid they must not change the fingerprint.
        first_frame=first if shows_driver else 0,
        grid=options.grid,
        cut=shows_driver and options.no_face == "cut",
        lead_frames=min(first, context),
        frame_count=count if context else 0,
    )
    if scene.picture:
        return replace(params, picture=scene.picture, program=f"facepipe {__version__}")
    return replace(params, quality=options.quality, codec=options.codec)


def join(job: Job, scene: Scene, segments: list[Made], *, cut_by: Output | Pending | None = None) -> Made:
    """Join segments into the result, with the sound of the driver if it has any.

    With `cut_by`, coefficients of the driver, the sound of its frames without a face is removed.
    """
    options = scene.options
    inputs: dict[str, Input | list[Input]] = {
        "segments": [segment.output(f"segment.{'webm' if options.transparent else 'mp4'}") for segment in segments],
    }
    if scene.driver and scene.driver.has_sound:
        inputs["sound"] = scene.driver.path
        if cut_by is not None:
            inputs["kept"] = cut_by
    params = mux.Params(fit=options.fit, quality=options.quality, codec=options.codec, track=options.track)
    params = replace(params, container=options.container)
    return job.run(mux.STAGE, inputs, params, label="mux")


def result_of(made: Made, options: Options) -> Output | Pending:
    """Return the video that `join` made."""
    return made.output(f"result.{options.container}")
