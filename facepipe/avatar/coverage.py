"""Coverage: the nearest triangle at each of four samples per pixel.

Corners are rounded to 1/256 pixel, and edges are then tested in whole numbers. So a sample on a common edge of two
triangles belongs to exactly one of them: there are no cracks and no sample is drawn twice. Nearness is 1 / depth,
which is linear on the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import EXACT, Function, compiled

Doubles = NDArray[np.float64]
Lens = tuple[float, float, float]
"""Focal length and x and y of the picture's centre, in pixels."""
NOTHING = -1
SAMPLES = 4
UNITS = 256
"""Units per pixel."""
OFFSETS = np.array(((96, 32), (224, 96), (32, 160), (160, 224)), np.int64)
"""(4, 2), x and y of the samples from the corner of their pixel, in units: a rotated grid."""
REACH_PIXELS = float(1 << 20)
"""Greatest distance of corners from the picture's centre. Products of longer edges would not fit in 64 bits."""
OUTSIDE = np.int64(1) << 40
"""In place of x: the vertex is behind the near plane or out of reach."""


def inlined(function: Function) -> Function:
    """Compile a function into its callers: arrays that are passed on would be counted, which threads wait for."""
    return compiled(function, {**EXACT, "inline": "always"})


@compiled
def project(view: Doubles, lens: Lens, near: float, reach: float) -> tuple[NDArray[np.int64], Doubles]:
    """Return the (N, 2) positions of (N, 3) camera coordinates in the picture, in units, and their (N,) nearness.

    The x of vertices nearer than the depth `near`, or farther than `reach` pixels from the centre, is OUTSIDE.
    """
    focal, centre_x, centre_y = lens
    places, nearness = np.empty((view.shape[0], 2), np.int64), np.zeros(view.shape[0])
    for i in range(view.shape[0]):
        depth = -view[i, 2]
        places[i, 0], places[i, 1] = OUTSIDE, 0
        if depth >= near and max(abs(view[i, 0]), abs(view[i, 1])) * focal <= reach * depth:
            nearness[i] = 1.0 / depth
            places[i, 0] = np.int64(np.rint((centre_x + focal * view[i, 0] / depth) * UNITS))
            places[i, 1] = np.int64(np.rint((centre_y - focal * view[i, 1] / depth) * UNITS))
    return places, nearness


@inlined
def _edge(ax: int, ay: int, bx: int, by: int) -> tuple[int, int, int]:
    """Return the function x * dx + y * dy + c of an edge in units, at least 0 inside, by the top-left rule."""
    dx, dy = ay - by, bx - ax
    # A sample on the edge is inside if the edge is on the left or on the top of the triangle.
    owned = dx > 0 or (dx == 0 and dy > 0)
    return dx, dy, -(ax * dx + ay * dy) - (0 if owned else 1)


@inlined
def _fill(
    corners: tuple[int, int, int, int, int, int],
    plane: tuple[float, float, float],
    triangle: int,
    top: int,
    nearest: Floats,
    owner: Indices,
    limit: Floats,
) -> None:
    """Write a triangle of positive area. `plane` is the nearness at the first corner and its change per unit."""
    ax, ay, bx, by, cx, cy = corners
    near_a, near_x, near_y = plane
    ux, uy, u = _edge(ax, ay, bx, by)
    vx, vy, v = _edge(bx, by, cx, cy)
    wx, wy, w = _edge(cx, cy, ax, ay)
    left, right = max(0, min(ax, bx, cx) // UNITS), min(owner.shape[1] - 1, max(ax, bx, cx) // UNITS)
    first, last = max(0, min(ay, by, cy) // UNITS - top), min(owner.shape[0] - 1, max(ay, by, cy) // UNITS - top)
    for row in range(first, last + 1):
        for column in range(left, right + 1):
            for s in range(SAMPLES):
                x, y = column * UNITS + OFFSETS[s, 0], (row + top) * UNITS + OFFSETS[s, 1]
                if (ux * x + uy * y + u) | (vx * x + vy * y + v) | (wx * x + wy * y + w) >= 0:
                    near = np.float32(near_a + near_x * (x - ax) + near_y * (y - ay))
                    if near > nearest[row, column, s] and (limit.size == 0 or near < limit[row, column, s]):
                        nearest[row, column, s] = near
                        owner[row, column, s] = triangle


@compiled
def cover(
    triangles: Indices,
    numbers: Indices,
    places: NDArray[np.int64],
    nearness: Doubles,
    double_sided: NDArray[np.bool_],
    top: int,
    nearest: Floats,
    owner: Indices,
    limit: Floats,
) -> None:
    """Find the nearest triangle at the samples of some rows, in place.

    Args:
        triangles: (K, 3), vertices of none OUTSIDE.
        numbers: (K,), written to `owner`.
        places: (N, 2) by `project`.
        nearness: (N,) by `project`.
        double_sided: (M,), whether the triangle of a number is visible from behind.
        top: The first row.
        nearest: (R, W, 4), greatest nearness so far; 0 is infinitely far.
        owner: (R, W, 4), the number of its triangle, or NOTHING.
        limit: (R, W, 4), only what is farther than this counts; or an empty array.
    """
    first, last = top * UNITS, (top + owner.shape[0]) * UNITS
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        ay, by, cy = places[a, 1], places[b, 1], places[c, 1]
        if max(ay, by, cy) < first or min(ay, by, cy) >= last:
            continue
        ax, bx, cx = places[a, 0], places[b, 0], places[c, 0]
        # Rows grow downwards, so a triangle that is counter-clockwise seen from the camera has a negative area here.
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0 or (area > 0 and not double_sided[numbers[k]]):
            continue
        if area < 0:
            bx, by, b, cx, cy, c = cx, cy, c, bx, by, b
        to_b, to_c, scale = nearness[b] - nearness[a], nearness[c] - nearness[a], 1.0 / abs(area)
        near_x = (to_b * (cy - ay) - to_c * (by - ay)) * scale
        near_y = (to_c * (bx - ax) - to_b * (cx - ax)) * scale
        plane = (nearness[a], near_x, near_y)
        _fill((ax, ay, bx, by, cx, cy), plane, numbers[k], top, nearest, owner, limit)
