"""Detecting and tracking the face in a medium and estimating its motion: the first steps of every job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from facepipe import weights
from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.digest import DigestCache
from facepipe.engine.stage import bare
from facepipe.errors import NoFaceError, ToolError, UsageError
from facepipe.face.rule import EXPECTED, is_reference
from facepipe.face.track import NO_FACE_SHARE
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium, all_of, find_weights, inspect
from facepipe.renderers import RENDERERS
from facepipe.rendering.background_rule import MATTING
from facepipe.spaces import SPACES
from facepipe.stages import crop

# The weights of each landmarker. Both use the detector.
LANDMARKERS = {"embedded": ("landmarker",), "face-alignment": ("fan-3d", "fan-depth", "face-model")}
Weights = Mapping[str, weights.WeightFile]
Made = Artefact | Pending
Input = Output | Pending | Path


@dataclass(frozen=True)
class Fitted:
    """The crop and the coefficients of a medium."""

    crop: Made
    coefficients: Made
    matte: Made | None = None
    """The matte of the crop, of a portrait whose renderer needs it."""

    def made(self) -> list[Made]:
        """Return the results of all stages."""
        return [self.crop, self.coefficients, *([self.matte] if self.matte else [])]


def path_of(made: Made, output: str) -> Path:
    """Return the path of an output of a finished stage."""
    assert isinstance(made, Artefact), f"{made} has not run"
    return made.path(output)


def perception_weights(options: Options) -> dict[str, weights.WeightFile]:
    """Return the verified weights of detector, landmarker and motion space. Raises one error that lists all faults.

    Faults of the reference pictures are among them.
    """
    return _found(perception_weight_names(options), options)


def crop_weights(options: Options) -> dict[str, weights.WeightFile]:
    """Return the verified weights of detector and landmarker. Raises one error as `perception_weights`."""
    return _found(crop_weight_names(options.landmarker), options)


def _found(names: tuple[str, ...], options: Options) -> dict[str, weights.WeightFile]:
    found, *_ = all_of(
        [
            lambda: find_weights(*names),
            lambda: _check_package(options.landmarker),
            *(partial(_check_reference, option, path, options) for option, path in options.references().items()),
        ]
    )
    return dict(found)


def described_references(options: Options, digests: DigestCache) -> dict[str, Any]:
    """Return the entries of the reference pictures among the inputs of a record."""
    return {
        option: {"path": str(path), "sha256": digests.digest(path)} for option, path in options.references().items()
    }


def _check_reference(option: str, path: Path, options: Options) -> None:
    """Raise UsageError unless a reference picture is a picture."""
    flag = f"--{option.replace('_', '-')}"
    if not path.is_file():
        raise UsageError(f"{flag} is {str(path)!r}, which is no file; expected {EXPECTED}")
    if inspect(path, options.limits).kind != "image":
        raise UsageError(f"{flag} is {str(path)!r}, a video; give a picture of the person, for example one frame of it")


def space_weights(space: str) -> tuple[str, ...]:
    """Return the weights that estimate motion in a space; optional ones only if they are registered."""
    declared = SPACES[space].estimation().weights
    return tuple(bare(name) for name in declared if not name.endswith("?") or bare(name) in weights.registered())


def perception_weight_names(options: Options) -> tuple[str, ...]:
    """Return the registry names of the weights of detector, landmarker and motion space, each once."""
    return tuple(dict.fromkeys((*crop_weight_names(options.landmarker), *space_weights(options.space))))


def crop_weight_names(landmarker: str) -> tuple[str, ...]:
    """Return the registry names of the weights of detector and landmarker."""
    return ("detector", *LANDMARKERS[landmarker])


def _check_package(landmarker: str) -> None:
    if landmarker == "face-alignment" and find_spec("face_alignment") is None:
        raise ToolError(
            "--landmarker face-alignment needs the package face-alignment, which is not installed: "
            "pip install 'facepipe[face-alignment]', or leave the option out"
        )


def crop_source(job: Job, medium: Medium, options: Options, weights: Weights, label: str) -> Made:
    """Detect and crop the face of the portrait; of a video, in the chosen frame."""
    params = crop.Params(
        face=_rule(options.face),
        landmarker=options.landmarker,
        still=options.source_frame if medium.kind == "video" else "",
        size_pixels=options.size_pixels,
    )
    return _crop(job, medium, params, weights, label, face=options.face)


def track_clip(
    job: Job, medium: Medium, options: Options, weights: Weights, label: str, *, face: str, pictures: bool = False
) -> Made:
    """Track a face in a clip or picture. With `pictures`, also write the crop."""
    params = crop.Params(
        face=_rule(face),
        landmarker=options.landmarker,
        # Later stages implement the other policies, so that changing the policy does not repeat the tracking.
        no_face="fail" if options.no_face == "fail" else "hold",
        pictures=pictures,
    )
    if pictures:
        params = replace(params, size_pixels=options.size_pixels, quality=options.quality)
    made = _crop(job, medium, params, weights, label, face=face)
    if isinstance(made, Artefact) and options.no_face not in ("source", "cut"):
        _check_share(job, made, medium, label)
    return made


def _rule(face: str) -> str:
    """Return the rule of the stage: a picture is an input, so that its content counts and not its name."""
    return crop.REFERENCE if is_reference(face) else face


def _check_share(job: Job, made: Artefact, medium: Medium, label: str) -> None:
    """Raise NoFaceError if hardly a frame of a clip shows the face, so that the result would be a still picture."""
    frames, missing = int(made.facts["frames"]), int(made.facts["frames_without_face"])
    if missing < NO_FACE_SHARE * frames:
        return
    error = NoFaceError(
        f"{medium.path}: {missing} of {frames} frames do not show the face, and a clip is refused from "
        f"{NO_FACE_SHARE:.0%} on. Choose another face with --face (of a driver --driver-face), or use --no-face cut or "
        "source."
    )
    job.fail(crop.STAGE.name, label, error)
    raise error


def _crop(job: Job, medium: Medium, params: crop.Params, weights: Weights, label: str, *, face: str) -> Made:
    needed = {name: weights[name] for name in crop_weight_names(params.landmarker)}
    inputs = {"media": medium.path, **({"reference": Path(face)} if params.face == crop.REFERENCE else {})}
    return job.run(crop.STAGE, inputs, params, weights=needed, label=label, frames=medium.frames)


def fit_track(
    job: Job,
    cropped: Made | Path,
    media: Input,
    options: Options,
    weights: Weights,
    label: str,
    *,
    frames: int,
    portrait: bool = False,
) -> Fitted:
    """Estimate motion in the space of the options from a track or track file; `media` holds the pixels of the track."""
    stage = SPACES[options.space].estimation()
    track = cropped if isinstance(cropped, Path) else cropped.output("track.npz")
    fitted = job.run(
        stage,
        {"track": track, **({"media": media} if "media" in stage.inputs else {})},
        stage.params(space=options.space, smoothing=options.smoothing if frames > 1 else "none", portrait=portrait),
        weights={name: weights[name] for name in map(bare, stage.weights) if name in weights},
        label=label,
        frames=frames,
    )
    return Fitted(fitted if isinstance(cropped, Path) else cropped, fitted)


def matte_stage() -> Any:
    """Import the stage that computes mattes."""
    return resolve_name("facepipe.stages.matte:STAGE")


def fit_source(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Crop the portrait, estimate its coefficients, and compute its matte if the renderer needs it."""
    cropped = crop_source(job, medium, options, weights, "crop source")
    picture = cropped.output("picture.png") if medium.kind == "video" else medium.path
    fitted = fit_track(job, cropped, picture, options, weights, "fit source", frames=1, portrait=True)
    if not RENDERERS[options.renderer].needs_matte:
        return fitted
    network = {MATTING: weights[MATTING]}
    stage, inputs = matte_stage(), {"media": cropped.output("crop.png")}
    made = job.run(stage, inputs, stage.params(), weights=network, label="matte source", frames=1)
    return replace(fitted, matte=made)


def fit_driver(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Track the driver and estimate its coefficients."""
    tracked = track_clip(job, medium, options, weights, "crop driver", face=options.driver_face)
    return fit_track(job, tracked, medium.path, options, weights, "fit driver", frames=medium.frames)
