"""Clipping of triangles that reach behind the camera, or too far out of the picture to be computed exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.coverage import OUTSIDE, REACH_PIXELS, UNITS, Doubles, Lens, project
from facepipe.avatar.mesh import Indices


class Pieces(NamedTuple):
    """Triangles that can be computed exactly: the first arguments of `cover`."""

    triangles: Indices
    """(K, 3)."""
    numbers: Indices
    """(K,), the triangle of the scene that each is a piece of."""
    places: NDArray[np.int64]
    """(P, 2), positions of vertices in the picture, in units."""
    nearness: Doubles
    """(P,), 1 / depth of vertices."""


def pieces(points: Doubles, triangles: Indices, first: int, lens: Lens, near: float) -> Pieces:
    """Return the visible pieces of some triangles.

    Args:
        points: (N, 3) camera coordinates.
        triangles: (M, 3).
        first: Number of the first triangle.
        lens: Of `project`.
        near: Depth of the near plane, in decimetres.
    """
    places, nearness = project(points, lens, near, REACH_PIXELS)
    numbers = np.arange(first, first + len(triangles), dtype=np.int32)
    outside = places[:, 0] == OUTSIDE
    if not outside.any():
        return Pieces(triangles, numbers, places, nearness)
    cut = outside[triangles].any(1)
    kept, sources, corners, count = [triangles[~cut]], [numbers[~cut]], [points], len(points)
    for number, triangle in zip(numbers[cut], triangles[cut], strict=True):
        polygon = _clipped(points[triangle], near, REACH_PIXELS / lens[0])
        fan = [(count, count + k, count + k + 1) for k in range(1, len(polygon) - 1)]
        if fan:
            kept.append(np.array(fan, np.int32))
            sources.append(np.full(len(fan), number, np.int32))
            corners.append(polygon)
            count += len(polygon)
    # A corner on a plane may lie beyond it by rounding.
    places, nearness = project(np.concatenate(corners), lens, near / 2, REACH_PIXELS * 2)
    return Pieces(np.concatenate(kept), np.concatenate(sources), places, nearness)


def is_hit(some: Pieces, top: int, height: int) -> bool:
    """Return whether pieces may cover samples of the rows from `top` on."""
    if not len(some.triangles):
        return False
    rows = some.places[some.triangles, 1]
    return bool(rows.max() >= top * UNITS and rows.min() < (top + height) * UNITS)


def _clipped(polygon: Doubles, near: float, slope: float) -> Doubles:
    """Return the (K, 3) corners of the part in front of the near plane and within x and y = +-slope * depth.

    The method is that of Sutherland and Hodgman (1974).
    """
    planes = (
        (0.0, 0.0, 1.0, -near),
        *((*side, slope, 0.0) for side in ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))),
    )
    for a, b, c, d in planes:
        kept = []
        heights = a * polygon[:, 0] + b * polygon[:, 1] - c * polygon[:, 2] + d
        for i, (corner, here) in enumerate(zip(polygon, heights, strict=True)):
            ahead = (i + 1) % len(polygon)
            there = heights[ahead]
            if here >= 0:
                kept.append(corner)
            if (here >= 0) != (there >= 0):
                kept.append(corner + (polygon[ahead] - corner) * (here / (here - there)))
        polygon = np.array(kept).reshape(-1, 3)
    return polygon
