"""Finding the face in a medium and fitting the model to it: what every job begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from facepipe import weights
from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.stage import bare
from facepipe.errors import ToolError
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium, all_of, find_weights
from facepipe.spaces import SPACES
from stages import crop

# What each landmarker needs; the detector finds the face for both.
LANDMARKERS = {"embedded": ("landmarker",), "face-alignment": ("fan-3d", "fan-depth", "face-model")}
Weights = Mapping[str, weights.WeightFile]
Made = Artefact | Pending
Input = Output | Pending | Path


@dataclass(frozen=True)
class Fitted:
    """A medium cropped and fitted."""

    crop: Made
    coefficients: Made


def path_of(made: Made, output: str) -> Path:
    """Return the path of an output of a stage that has run."""
    assert isinstance(made, Artefact), f"{made} has not run"
    return made.path(output)


def perception_weights(options: Options) -> dict[str, weights.WeightFile]:
    """Return verified weights for all of perception; raise one error that tells of all that is missing."""
    names = perception_weight_names(options)
    found, _ = all_of([lambda: find_weights(*names), lambda: _check_package(options.landmarker)])
    return dict(found)


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
            "pip install 'facepipe[face-alignment]', or leave the option away"
        )


def crop_source(job: Job, medium: Medium, options: Options, weights: Weights, label: str) -> Made:
    """Find the portrait's face, in the chosen frame of a video, and cut it out."""
    params = crop.Params(
        face=options.face,
        landmarker=options.landmarker,
        still=options.source_frame if medium.kind == "video" else "",
        size_pixels=options.size_pixels,
    )
    return _crop(job, medium, params, weights, label)


def track_clip(
    job: Job, medium: Medium, options: Options, weights: Weights, label: str, *, face: str, pictures: bool = False
) -> Made:
    """Follow a face through a clip or picture; with `pictures` also write what was cut out."""
    params = crop.Params(
        face=face,
        landmarker=options.landmarker,
        # The other policies are carried out later: changing between them must not track again.
        no_face="fail" if options.no_face == "fail" else "hold",
        pictures=pictures,
    )
    if pictures:
        params = replace(params, size_pixels=options.size_pixels, quality=options.quality)
    return _crop(job, medium, params, weights, label)


def _crop(job: Job, medium: Medium, params: crop.Params, weights: Weights, label: str) -> Made:
    needed = {name: weights[name] for name in crop_weight_names(params.landmarker)}
    return job.run(crop.STAGE, {"media": medium.path}, params, weights=needed, label=label, frames=medium.frames)


def fit_track(
    job: Job, cropped: Made | Path, media: Input, options: Options, weights: Weights, label: str, *, frames: int
) -> Fitted:
    """Estimate motion from a track or a track file, in the space of the options; `media` has the track's pixels."""
    stage = SPACES[options.space].estimation()
    track = cropped if isinstance(cropped, Path) else cropped.output("track.npz")
    fitted = job.run(
        stage,
        {"track": track, **({"media": media} if "media" in stage.inputs else {})},
        stage.params(space=options.space, smoothing=options.smoothing if frames > 1 else "none"),
        weights={name: weights[name] for name in map(bare, stage.weights) if name in weights},
        label=label,
        frames=frames,
    )
    return Fitted(fitted if isinstance(cropped, Path) else cropped, fitted)


def fit_source(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Crop and fit the portrait."""
    cropped = crop_source(job, medium, options, weights, "crop source")
    picture = cropped.output("picture.png") if medium.kind == "video" else medium.path
    return fit_track(job, cropped, picture, options, weights, "fit source", frames=1)


def fit_driver(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Track and fit the driver."""
    tracked = track_clip(job, medium, options, weights, "crop driver", face=options.driver_face)
    return fit_track(job, tracked, medium.path, options, weights, "fit driver", frames=medium.frames)
