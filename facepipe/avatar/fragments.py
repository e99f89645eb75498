"""Fragments: what of a scene is visible in each pixel, one fragment per triangle, with its attributes."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices

Doubles = NDArray[np.float64]
Vector = tuple[float, float, float]


class Surroundings(NamedTuple):
    """A scene as seen by a camera."""

    points: Doubles
    """(N, 3) camera coordinates."""
    triangles: Indices
    normals: Floats
    """(N, 3) in camera axes."""
    colours: Floats
    """(N, 3) linear RGB."""
    texture_coordinates: Floats
    lit: Floats
    """(N,), fraction of the key light that reaches the vertex."""
    part: NDArray[np.uint8]
    """(M,), index of the part of each triangle."""
    texels: Floats
    """(K, 3) by `texture_levels`."""
    levels: NDArray[np.int64]
    """(P, L, 3) by `texture_levels`."""
    lens: Vector
    """Focal length and x and y of the centre, in pixels."""
    depths: Floats
    """(h, w), depth of the cells of the grid of openness."""
    openness: Floats
    """(h, w)."""
    cell: int
    """Side of a cell in pixels."""
    sharpness: float
    """Inverse of the difference in depth, in decimetres, from which on cells do not count."""


class Fragments(NamedTuple):
    """Attributes of up to F fragments."""

    pixel: Indices
    """(F,), row * W + column, from the first row on that was collected."""
    share: Floats
    """(F,), fraction of the pixel's samples that it covers."""
    seen: Floats
    """(F,), the same times what nearer fragments let through there."""
    depth: Floats
    """(F,), decimetres."""
    part: NDArray[np.uint8]
    """(F,), index of the part."""
    albedo: Floats
    """(3, F), linear RGB."""
    normal: Floats
    """(3, F), unit vectors in camera axes that do not turn away from the camera."""
    away: Floats
    """(3, F), unit vectors to the camera."""
    open_part: Floats
    """(F,), fraction of the surroundings that it sees."""
    lit: Floats
    """(F,), fraction of the key light that reaches it."""


def _space(shape: int | tuple[int, int]) -> Floats:
    return np.empty(shape, np.float32)


def empty_fragments(count: int) -> Fragments:
    """Return space for `count` fragments."""
    one, three = partial(_space, count), partial(_space, (3, count))
    return Fragments(
        pixel=np.empty(count, np.int32),
        share=one(),
        seen=one(),
        depth=one(),
        part=np.empty(count, np.uint8),
        albedo=three(),
        normal=three(),
        away=three(),
        open_part=one(),
        lit=one(),
    )
