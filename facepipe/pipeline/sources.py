"""The source of a job: its main picture, and further pictures of the same person for renderers that pool several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.digest import DigestCache
from facepipe.errors import InputError, UsageError
from facepipe.pipeline.avatars import avatar_params, inspect_avatar
from facepipe.pipeline.items import is_avatar
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import (
    Fitted,
    Input,
    Made,
    View,
    Weights,
    compute_matte,
    crop_source,
    fit_track,
    whole_track,
)
from facepipe.pipeline.precheck import Medium, all_of, inspect
from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import SourceKind
from facepipe.stages import avatar, matte, person, selection


def inspect_source(path: Path, options: Options) -> Medium:
    """Read the properties of the source and of its further pictures. Raises one error that lists all faults."""
    medium, *_ = all_of(
        [
            lambda: _inspect_main(path, options),
            *(partial(_check_picture, picture, options) for picture in options.source_picture),
        ]
    )
    assert isinstance(medium, Medium)
    return medium


def _inspect_main(path: Path, options: Options) -> Medium:
    medium = inspect_portrait(path, options)
    if options.source_frames > 1 and medium.kind != "video":
        raise UsageError(
            f"--source-frames is {options.source_frames}, but {path} is a picture; give a video as SOURCE, or further "
            "pictures with --source-picture"
        )
    return medium


def inspect_portrait(path: Path, options: Options) -> Medium:
    """Read the properties of a portrait, or of an avatar for a renderer of avatars.

    Raises InputError for a file that the renderer cannot animate.
    """
    if RENDERERS[options.renderer].source == SourceKind.AVATAR:
        return inspect_avatar(path, options)
    if is_avatar(path):
        drawing = ", ".join(name for name, spec in RENDERERS.items() if spec.source == SourceKind.AVATAR)
        raise InputError(
            f"{path}: is an avatar, which the renderer {options.renderer} cannot animate; use --renderer {drawing}, or "
            "leave --renderer and --weights out"
        )
    return inspect(path, options.limits)


def _check_picture(path: Path, options: Options) -> None:
    if inspect(path, options.limits).kind != "image":
        raise UsageError(
            f"--source-picture is {path}, a video; give pictures, or make the video SOURCE, of which --source-frames N "
            "takes N frames"
        )


def described_pictures(options: Options, digests: DigestCache) -> dict[str, Any]:
    """Return the entries of the further pictures among the inputs of a record."""
    return {
        f"source_picture_{number}": {"path": str(path), "sha256": digests.digest(path)}
        for number, path in enumerate(options.source_picture, 1)
    }


def fit_source(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Crop the portrait and estimate its coefficients; the same for further pictures of the person, if any.

    The mattes of all pictures are computed if the renderer needs them. Raises InputError for a further picture that
    shows another person.
    """
    if medium.kind == "avatar":
        params = avatar_params(options)
        needed = {name: weights[name] for name in avatar.STAGE.weights}
        made = job.run(avatar.STAGE, {"avatar": medium.path}, params, weights=needed, label="avatar", frames=1)
        return Fitted(made, made)
    fitted = _fit_pictures(job, medium, options, weights)
    if not RENDERERS[options.renderer].needs_matte:
        return fitted
    found = _matte(job, fitted.crop.output("crop.png"), weights, "matte source")
    mattes = [
        _matte(job, view.picture, weights, f"matte picture {number}") for number, view in enumerate(fitted.more, 2)
    ]
    views = tuple(
        replace(view, matte=matte.output("matte.png")) for view, matte in zip(fitted.more, mattes, strict=True)
    )
    return replace(fitted, matte=found, more=views, others=(*fitted.others, *mattes))


def _matte(job: Job, picture: Input, weights: Weights, label: str) -> Made:
    return compute_matte(job, picture, matte.Params(), weights, label, frames=1)


def _fit_pictures(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Crop the faces of the portrait and of further pictures, and estimate their coefficients."""
    if options.source_frames > 1:
        fitted, picture = _fit_frames(job, medium, options, weights)
    else:
        cropped = crop_source(job, medium, options, weights, "crop source")
        picture = cropped.output("picture.png") if medium.kind == "video" else medium.path
        fitted = fit_track(job, cropped, picture, options, weights, "fit source", frames=1, portrait=True)
    if not options.source_picture:
        return fitted
    others = [
        _fit_picture(job, path, number, options, weights)
        for number, path in enumerate(options.source_picture, 2 + len(fitted.more))
    ]
    tracks = [one.crop.output("track.npz") for one in (fitted, *others)]
    compared = _compare(
        job, [medium.path, *options.source_picture], [picture, *options.source_picture], tracks, weights
    )
    views = (View(one.crop.output("crop.png"), one.crop.output("track.npz"), _own(one)) for one in others)
    made = (result for one in others for result in one.made)
    return replace(fitted, more=(*fitted.more, *views), others=(*fitted.others, *made, compared))


def _own(fitted: Fitted) -> Output | Pending:
    return fitted.coefficients.output("coefficients.npz")


def _fit_frames(job: Job, medium: Medium, options: Options, weights: Weights) -> tuple[Fitted, Input]:
    """Choose frames of the source video, crop the face of each, and estimate its coefficients."""
    tracked = whole_track(job, medium, options, weights, "track source")
    changed = tuple(tracked.facts["changed_frames"]) if isinstance(tracked, Artefact) else ()
    chosen = job.run(
        selection.STAGE,
        {"media": medium.path, "track": tracked.output("track.npz")},
        selection.Params(options.source_frames, options.source_frame, changed, options.size_pixels),
        weights={name: weights[name] for name in selection.STAGE.weights},
        label="select frames",
        frames=options.source_frames,
    )
    picture = chosen.output("picture.png")
    fitted = fit_track(job, chosen, picture, options, weights, "fit source", frames=1, portrait=True)
    count = int(chosen.facts["pictures"]) if isinstance(chosen, Artefact) else options.source_frames
    views, others = [], [tracked]
    for number in range(1, count):
        whole, cropped, track = (chosen.output(selection.file_of(name, number)) for name in selection.FILES)
        label = f"fit picture {number + 1}"
        estimated = fit_track(job, track, whole, options, weights, label, frames=1)
        views.append(View(cropped, track, _own(estimated)))
        others.append(estimated.coefficients)
    return Fitted(chosen, fitted.coefficients, more=tuple(views), others=tuple(others)), picture


def _fit_picture(job: Job, path: Path, number: int, options: Options, weights: Weights) -> Fitted:
    """Crop the face of a further picture and estimate its coefficients."""
    cropped = crop_source(job, inspect(path, options.limits), options, weights, f"crop picture {number}")
    return fit_track(job, cropped, path, options, weights, f"fit picture {number}", frames=1)


def _compare(
    job: Job, named: Sequence[Path], pictures: Sequence[Input], tracks: Sequence[Input], weights: Weights
) -> Made:
    """Compare all further pictures with the first. Raises InputError if one shows another person.

    `named` are the files that the user gave, for messages; of a video `pictures` holds a frame.
    """
    inputs = {"media": named, "pictures": pictures, "tracks": tracks}
    needed = {name: weights[name] for name in person.STAGE.weights}
    return job.run(person.STAGE, inputs, person.Params(), weights=needed, label="compare pictures", frames=len(named))
