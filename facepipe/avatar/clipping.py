"""Clipping of triangles that reach behind the camera, or too far out of the picture to be computed exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.coverage import OUTSIDE, REACH_PIXELS, Doubles, Lens, project
from facepipe.avatar.mesh import Indices


def pieces(
    view: Doubles, triangles: Indices, lens: Lens, near: float
) -> tuple[Indices, Indices, NDArray[np.int64], Doubles]:
    """Return what `cover` needs of some triangles: the parts of them that it can compute.

    Args:
        view: (N, 3) camera coordinates.
        triangles: (M, 3).
        lens: Of `project`.
        near: Depth of the near plane, in decimetres.

    Returns:
        (K, 3) triangles; (K,) the triangle that each is a piece of; (P, 2) positions and (P,) nearness of vertices.
    """
    places, nearness = project(view, lens, near, REACH_PIXELS)
    numbers = np.arange(len(triangles), dtype=np.int32)
    outside = places[:, 0] == OUTSIDE
    if not outside.any():
        return triangles, numbers, places, nearness
    cut = outside[triangles].any(1)
    kept, corners, count = [triangles[~cut]], [view], len(view)
    sources = [numbers[~cut]]
    for number in numbers[cut]:
        polygon = _clipped(view[triangles[number]], near, REACH_PIXELS / lens[0])
        fan = [(count, count + k, count + k + 1) for k in range(1, len(polygon) - 1)]
        if fan:
            kept.append(np.array(fan, np.int32))
            sources.append(np.full(len(fan), number, np.int32))
            corners.append(polygon)
            count += len(polygon)
    # A corner on a plane may lie beyond it by rounding.
    places, nearness = project(np.concatenate(corners), lens, near / 2, REACH_PIXELS * 2)
    return np.concatenate(kept), np.concatenate(sources), places, nearness


def _clipped(polygon: Doubles, near: float, slope: float) -> Doubles:
    """Return the (K, 3) corners of the part in front of the near plane and within x and y = +-slope * depth.

    The method is that of Sutherland and Hodgman (1974).
    """
    planes = ((0.0, 0.0, 1.0, -near), *((*side, slope, 0.0) for side in ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))))
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
