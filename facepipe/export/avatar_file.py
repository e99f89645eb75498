"""The files of `facepipe avatar export`: an avatar in a form that other programs read."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.compiling import open_head
from facepipe.avatar.head import ENGINE_VERSION
from facepipe.avatar.params import load_params
from facepipe.avatar.posing import PICTURE_AXES
from facepipe.errors import InputError, ToolError, UsageError
from facepipe.export.avatar_model import avatar_model
from facepipe.export.rigging import rigged_parts
from facepipe.export.take import Take
from facepipe.media.files import check_output, draft_of, make_parent
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


def export_avatar(options: ExportOptions) -> list[Path]:
    """Write the files of an avatar and return their paths, the one that was named first.

    All that can be checked is checked first. Raises FacepipeError.
    """
    _check_package(options.suffix)
    vector = load_params(options.params)
    take = read_take(options.motion) if options.motion is not None else None
    paths = [options.out, *(options.out.with_suffix(suffix) for suffix in BESIDE.get(options.suffix, ()))]
    for path in paths:
        check_output(path, makes_folder=True)
        if path.exists() and not options.overwrite:
            raise InputError(f"{path} exists; choose another name with -o, or use --overwrite")
    head = open_head()
    contents = files_of(build(vector, head), take, options, head.digest)
    _write({path: contents[path.suffix.lower()] for path in paths})
    return paths


def files_of(avatar: Avatar, take: Take | None, options: ExportOptions, head_digest: str) -> dict[str, bytes]:
    """Return the contents of an avatar's files by suffix."""
    model = avatar_model(rigged_parts(avatar), avatar.head.points)
    if options.suffix == ".obj":
        from facepipe.export.obj import to_obj

        return to_obj(model, options.out.stem)
    about = _about(avatar, head_digest)
    if options.suffix == ".usdz":
        from facepipe.export.usd import to_usdz

        return {".usdz": to_usdz(model, take, copyright_line=options.copyright_line, about=about)}
    from facepipe.export.gltf import to_glb

    return {".glb": to_glb(model, take, copyright_line=options.copyright_line, about=about)}


def read_take(path: Path) -> Take:
    """Read the motion of an avatar. Raises InputError if the file is damaged or of another motion space."""
    found = load_coefficients(path, space=arkit52.SPACE)
    assert isinstance(found, UnitCoefficients), "of another space"
    return Take(found.fps, found.weights, PICTURE_AXES @ found.rotation @ PICTURE_AXES)


def _about(avatar: Avatar, head_digest: str) -> dict[str, Any]:
    """Return what a file says of its avatar: enough to make it again."""
    vector = avatar.vector
    return {
        "rights": RIGHTS,
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
