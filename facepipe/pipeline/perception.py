"""Detecting and tracking the face in a medium and estimating its motion: the first steps of every job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facepipe import weights
from facepipe.creation import CODE_MAPPER, IMITATOR, MAPPER
from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.digest import DigestCache
from facepipe.engine.stage import bare
from facepipe.errors import NoFaceError, ToolError, UsageError
from facepipe.face.rule import EXPECTED, is_reference
from facepipe.face.track import NO_FACE_SHARE
from facepipe.face.units import WEIGHT as FACE_UNITS
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium, all_of, find_weights, inspect
from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import MATTING, NETWORK
from facepipe.spaces import SPACES
from facepipe.stages import crop, matte, take

# The weights of each landmarker. Both use the detector.
LANDMARKERS = {"embedded": ("landmarker",), "face-alignment": ("fan-3d", "fan-depth", "face-model")}
Weights = Mapping[str, weights.WeightFile]
Made = Artefact | Pending
Input = Output | Pending | Path


@dataclass(frozen=True)
class View:
    """A further picture of the source's person: outputs of finished stages."""

    picture: Output | Pending
    """The crop."""
    track: Output | Pending
    coefficients: Output | Pending
    matte: Output | Pending | None = None
    """The matte of the crop, if the renderer needs it."""


@dataclass(frozen=True)
class Fitted:
    """The crop and the coefficients of a medium."""

    crop: Made
    coefficients: Made
    matte: Made | None = None
    """The matte of the crop, of a portrait whose renderer needs it."""
    more: tuple[View, ...] = ()
    """Further pictures of the person, for a renderer that pools several."""
    others: tuple[Made, ...] = ()
    """The results of the stages that made them."""

    @property
    def made(self) -> list[Made]:
        """The results of all stages, for the record."""
        return [self.crop, self.coefficients, *([self.matte] if self.matte else []), *self.others]

    def further_inputs(self) -> dict[str, list[Input]]:
        """Return the inputs of the stage `prepare` for further pictures of the person; none if there are none."""
        if not self.more:
            return {}
        mattes = [view.matte for view in self.more if view.matte]
        return {
            "more_pictures": [view.picture for view in self.more],
            "more_tracks": [view.track for view in self.more],
            "more_sources": [view.coefficients for view in self.more],
            **({"more_mattes": [*mattes]} if mattes else {}),
        }


def path_of(made: Made, output: str) -> Path:
    """Return the path of an output of a finished stage."""
    assert isinstance(made, Artefact), f"{made} has not run"
    return made.path(output)


def perception_weights(options: Options) -> dict[str, weights.WeightFile]:
    """Return the verified weights of detector, landmarker and motion space. Raises one error that lists all faults.

    The key of a network that estimates motion is NETWORK. Faults of the reference pictures are among them.
    """
    found, network = _found(perception_weight_names(options), options), space_network(options)
    return {NETWORK if name == network else name: file for name, file in found.items()}


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


def space_weights(space: str, network: str = "") -> tuple[str, ...]:
    """Return the weights that estimate motion in a space; optional ones only if they are registered.

    `network` is the registry name of the network in a space that has one; by default the space's own.
    """
    own = {NETWORK: network or SPACES[space].network}
    declared = [(own.get(bare(name), bare(name)), name.endswith("?")) for name in SPACES[space].estimation().weights]
    return tuple(name for name, optional in declared if not optional or name in weights.registered())


def space_network(options: Options) -> str:
    """Return the registry name of the network that estimates motion in a job's space; empty if the space has none.

    It is the network that renders, if the job's renderer is one of the space.
    """
    own = SPACES[options.space].network
    renders = own and RENDERERS[options.renderer].space == options.space
    return options.weights or own if renders else own


def motion_weights(space: str, found: Weights) -> dict[str, weights.WeightFile]:
    """Return the weights with which motion in a space is retargeted, edited and generated."""
    needed = ("face-model", *(name for name in space_weights(space) if name == FACE_UNITS))
    return {name: found[name] for name in needed}


def perception_weight_names(options: Options) -> tuple[str, ...]:
    """Return the registry names of the weights of detector, landmarker and motion space, each once."""
    own = space_weights(options.space, space_network(options))
    return tuple(dict.fromkeys((*crop_weight_names(options.landmarker), *own)))


def crop_weight_names(landmarker: str) -> tuple[str, ...]:
    """Return the registry names of the weights of detector and landmarker."""
    return ("detector", *LANDMARKERS[landmarker])


def creation_weight_names(options: Options, *, code: bool) -> tuple[str, ...]:
    """Return the registry names of the weights of `avatar create`; `code` means that a W+ code is given."""
    own = ("face-model", MATTING, CODE_MAPPER if code else MAPPER, IMITATOR)
    return tuple(dict.fromkeys((*crop_weight_names(options.landmarker), *own)))


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


def compute_matte(job: Job, media: Input, params: matte.Params, weights: Weights, label: str, *, frames: int) -> Made:
    """Compute the matte of a picture or clip, such as `crop.png` of a crop."""
    needed = {MATTING: weights[MATTING]}
    return job.run(matte.STAGE, {"media": media}, params, weights=needed, label=label, frames=frames)


def whole_track(job: Job, medium: Medium, options: Options, weights: Weights, label: str) -> Made:
    """Track the face through the whole of a source video, of which several frames are used."""
    params = crop.Params(face=_rule(options.face), landmarker=options.landmarker, pictures=False)
    return _crop(job, medium, params, weights, label, face=options.face)


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
    cropped: Made | Output | Path,
    media: Input,
    options: Options,
    weights: Weights,
    label: str,
    *,
    frames: int,
    portrait: bool = False,
) -> Fitted:
    """Estimate motion in the space of the options from a track or its file; `media` holds the pixels of the track."""
    stage = SPACES[options.space].estimation()
    track = cropped if isinstance(cropped, Path | Output) else cropped.output("track.npz")
    fitted = job.run(
        stage,
        {"track": track, **({"media": media} if "media" in stage.inputs else {})},
        stage.params(space=options.space, smoothing=options.smoothing if frames > 1 else "none", portrait=portrait),
        weights={name: weights[name] for name in map(bare, stage.weights) if name in weights},
        label=label,
        frames=frames,
    )
    return Fitted(fitted if isinstance(cropped, Path | Output) else cropped, fitted)


def read_take(job: Job, path: Path, label: str, *, frames: int) -> Made:
    """Read a take of Live Link Face as motion in the space `arkit52`."""
    needed = find_weights(*take.STAGE.weights)
    return job.run(take.STAGE, {"take": path}, take.Params(), weights=needed, label=label, frames=frames)


def fit_driver(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Track the driver and estimate its coefficients."""
    tracked = track_clip(job, medium, options, weights, "crop driver", face=options.driver_face)
    return fit_track(job, tracked, medium.path, options, weights, "fit driver", frames=medium.frames)
