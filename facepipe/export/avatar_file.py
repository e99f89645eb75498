"""The files of `facepipe avatar export`: an avatar in a form that other programs read."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.compiling import open_head
from facepipe.avatar.head import ENGINE_VERSION
from facepipe.avatar.params import load_params
from facepipe.avatar.posing import PICTURE_AXES
from facepipe.avatar.units import with_lips_apart
from facepipe.engine import Job
from facepipe.errors import InputError, ToolError, UsageError
from facepipe.export.avatar_model import avatar_model
from facepipe.export.portrait_texture import with_portrait
from facepipe.export.rigging import rigged_parts
from facepipe.export.take import Take
from facepipe.face.track import load_track
from facepipe.media.files import check_output, draft_of, make_parent
from facepipe.media.image import read_image
from facepipe.pipeline.items import is_take
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import crop_source, crop_weights, path_of
from facepipe.pipeline.precheck import inspect
from facepipe.spaces import arkit52
from facepipe.spaces.arkit52.coefficients import UnitCoefficients
from facepipe.spaces.files import load_coefficients

PACKAGES = {".glb": "pygltflib", ".obj": "", ".usdz": "pxr"}
"""The package that writes each form, by suffix; none for OBJ."""
EXTRAS = {"pygltflib": "avatar", "pxr": "usd"}
BESIDE = {".obj": (".mtl",)}
"""Suffixes of files that are written beside one."""
RIGHTS = "The head and its face units are data of MakeHuman and MPFB2, CC0 1.0."
TEXTURE_RIGHTS = " The texture is a picture of a person, who has a right to it."


class Portrait(NamedTuple):
    """A picture (H, W, 3) and the points (478, 3) of its face, in pixels."""

    picture: NDArray[np.uint8]
    points: NDArray[np.float64]


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and where to. Raises UsageError for a suffix or options that do not go together."""

    params: Path
    """The avatar, as `facepipe avatar create` writes it."""
    out: Path
    motion: Path | None = None
    """A motion file in the space arkit52."""
    copyright_line: str = ""
    overwrite: bool = False
    portrait: Path | None = None
    """A picture of a person, for the skin's texture."""

    def __post_init__(self) -> None:
        suffix = self.out.suffix.lower()
        if suffix not in PACKAGES:
            raise UsageError(f"{self.out}: expected a name that ends in {', '.join(PACKAGES)}; choose another with -o")
        if suffix == ".obj" and self.motion is not None:
            raise UsageError(f"{self.out}: OBJ holds no motion; leave out --motion, or choose .glb or .usdz with -o")

    @property
    def suffix(self) -> str:
        """The form, such as ".glb"."""
        return self.out.suffix.lower()


def export_avatar(options: ExportOptions, job: Job | None = None) -> list[Path]:
    """Write the files of an avatar and return their paths, the one that was named first.

    All that can be checked is checked first. A portrait needs a job. Raises FacepipeError.
    """
    _check_package(options.suffix)
    vector = load_params(options.params)
    take = read_take(options.motion) if options.motion is not None else None
    beside = BESIDE.get(options.suffix, ()) + ((".png",) if options.suffix == ".obj" and options.portrait else ())
    paths = [options.out, *(options.out.with_suffix(suffix) for suffix in beside)]
    for path in paths:
        check_output(path, makes_folder=True)
        if path.exists() and not options.overwrite:
            raise InputError(f"{path} exists; choose another name with -o, or use --overwrite")
    head = open_head()
    seen = None
    if options.portrait is not None:
        assert job is not None, "a portrait needs a job"
        seen = find_portrait(job, options.portrait)
    contents = files_of(build(vector, head), take, options, head.digest, seen)
    _write({path: contents[path.suffix.lower()] for path in paths})
    return paths


def find_portrait(job: Job, path: Path) -> Portrait:
    """Return a portrait and the landmarks of its face. Raises InputError for a video, and NoFaceError."""
    options = Options()
    medium = inspect(path, options.limits)
    if medium.kind != "image":
        raise InputError(f"{path}: is a video, expected a picture for --texture; cut one frame out of it")
    cropped = crop_source(job, medium, options, crop_weights(options), "find portrait")
    file = load_track(path_of(cropped, "track.npz"))
    if file.turned_degrees:
        raise InputError(f"{path}: the face is not upright; turn the picture by {file.turned_degrees} degrees")
    return Portrait(read_image(path, options.limits), file.track.points[0].astype(np.float64))


def files_of(
    avatar: Avatar, take: Take | None, options: ExportOptions, head_digest: str, portrait: Portrait | None = None
) -> dict[str, bytes]:
    """Return the contents of an avatar's files by suffix."""
    model = avatar_model(rigged_parts(avatar), avatar.head.points)
    if portrait is not None:
        model = with_portrait(model, avatar, portrait.picture, portrait.points)
    if options.suffix == ".obj":
        from facepipe.export.obj import to_obj

        return to_obj(model, options.out.stem)
    about = _about(avatar, head_digest, textured=portrait is not None)
    if options.suffix == ".usdz":
        from facepipe.export.usd import to_usdz

        return {".usdz": to_usdz(model, take, copyright_line=options.copyright_line, about=about)}
    from facepipe.export.gltf import to_glb

    return {".glb": to_glb(model, take, copyright_line=options.copyright_line, about=about)}


def read_take(path: Path) -> Take:
    """Read the motion of an avatar, with weights as `Poser.pose` counts them.

    Raises InputError if the file is damaged or of another motion space.
    """
    if is_take(path):
        raise InputError(
            f"{path} is a take as CSV, not a motion file; convert it: facepipe blendshapes {path} -o take.npz"
        )
    found = load_coefficients(path, space=arkit52.SPACE)
    assert isinstance(found, UnitCoefficients), "of another space"
    return Take(found.fps, with_lips_apart(found.weights), PICTURE_AXES @ found.rotation @ PICTURE_AXES)


def _about(avatar: Avatar, head_digest: str, *, textured: bool) -> dict[str, Any]:
    """Return what a file says of its avatar: enough to make it again."""
    vector = avatar.vector
    return {
        "rights": RIGHTS + (TEXTURE_RIGHTS if textured else ""),
        "avatar": {
            "engine": ENGINE_VERSION,
            "head": head_digest,
            "sliders": dict(vector.sliders),
            "colours": {name: list(place) for name, place in vector.colours.items()},
            "choices": dict(vector.choices),
        },
    }


def _check_package(suffix: str) -> None:
    package = PACKAGES[suffix]
    if package and find_spec(package) is None:
        extra = EXTRAS[package]
        raise ToolError(f"{suffix} files need {package}, which is not installed: pip install 'facepipe[{extra}]'")


def _write(contents: dict[Path, bytes]) -> None:
    """Write all files, or none of them."""
    make_parent(next(iter(contents)))
    with ExitStack() as drafts:
        for path, content in contents.items():
            drafts.enter_context(draft_of(path)).write_bytes(content)
