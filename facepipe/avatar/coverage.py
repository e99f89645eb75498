"""Coverage: the nearest triangle at each of four samples per pixel.

Corners are rounded to 1/256 pixel, and edges are then tested in whole numbers. So a sample on a common edge of two
triangles belongs to exactly one of them: there are no cracks and no pixel is drawn twice. Nearness is 1 / depth, which is
linear on the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import compiled

Doubles = NDArray[np.float64]
NOTHING = -1
SAMPLES = 4
UNITS = 256
"""Units per pixel."""
OFFSETS = np.array(((96, 32), (224, 96), (32, 160), (160, 224)), np.int64)
"""(4, 2), x and y of the samples from the corner of their pixel, in units: a rotated grid."""
NEAR = 1e-3
"""Depth of the near plane as a fraction of the camera's distance."""
REACH_PIXELS = float(1 << 20)
"""Triangles are clipped at this distance from the picture's centre, so that products of edges fit in 64 bits."""
_OUTSIDE = np.int64(1) << 40
"""In place of x: the vertex lies beyond a plane, so its triangles are clipped."""


@compiled
def project(
    view: Doubles, lens: tuple[float, float, float], near: float, reach: float
) -> tuple[NDArray[np.int64], Doubles]:
    """Return the (N, 2) positions of (N, 3) camera coordinates in the picture, in units, and their (N,) nearness.

    `lens` is the focal length and x and y of the centre in pixels. Positions beyond the near plane, or farther than
    `reach` pixels from the centre, are marked as outside.
    """
    focal, centre_x, centre_y = lens
    places, nearness = np.empty((view.shape[0], 2), np.int64), np.zeros(view.shape[0])
    for i in range(view.shape[0]):
        depth = -view[i, 2]
        places[i, 0] = _OUTSIDE
        if depth >= near and max(abs(view[i, 0]), abs(view[i, 1])) * focal <= reach * depth:
            nearness[i] = 1.0 / depth
            places[i, 0] = np.int64(np.rint((centre_x + focal * view[i, 0] / depth) * UNITS))
            places[i, 1] = np.int64(np.rint((centre_y - focal * view[i, 1] / depth) * UNITS))
    return places, nearness


@compiled
def _clip(corners: Doubles, near: float, slope: float) -> Doubles:
    """Return the (K, 3) corners of what is in front of the near plane and within x and y = +-slope * depth."""
    polygon = corners
    for plane in range(5):
        # Distance to the plane, up to a factor: a x + b y + c depth + d.
        a, b, c, d = 0.0, 0.0, slope, 0.0
        if plane == 0:
            c, d = 1.0, -near
        elif plane < 3:
            a = 2.0 * plane - 3.0
        else:
            b = 2.0 * plane - 7.0
        count, kept = polygon.shape[0], np.empty((polygon.shape[0] + 1, 3))
        size = 0
        for i in range(count):
            j = (i + 1) % count
            here = a * polygon[i, 0] + b * polygon[i, 1] - c * polygon[i, 2] + d
            there = a * polygon[j, 0] + b * polygon[j, 1] - c * polygon[j, 2] + d
            if here >= 0:
                kept[size] = polygon[i]
                size += 1
            if (here >= 0) != (there >= 0) and size <= count:
                kept[size] = polygon[i] + (polygon[j] - polygon[i]) * (here / (here - there))
                size += 1
        polygon = kept[:size].copy()
    return polygon


@compiled
def _edge(ax: int, ay: int, bx: int, by: int) -> tuple[int, int, int]:
    """Return the function x * dx + y * dy + c of an edge in units, at least 0 inside, by the top-left rule."""
    dx, dy = ay - by, bx - ax
    # A sample on the edge is inside if the edge is on the left or on the top of the triangle.
    owned = dx > 0 or (dx == 0 and dy > 0)
    return dx, dy, -(ax * dx + ay * dy) - (0 if owned else 1)


@compiled
def _fill(
    places: NDArray[np.int64],
    nearness: Doubles,
    triangle: int,
    double_sided: bool,
    top: int,
    bottom: int,
    nearest: Floats,
    owner: Indices,
    limit: Floats,
) -> None:
    """Write one projected triangle, (3, 2) and (3,), into rows [top, bottom)."""
    ax, ay = places[0, 0], places[0, 1]
    bx, by, cx, cy = places[1, 0], places[1, 1], places[2, 0], places[2, 1]
    first, last = max(top, min(ay, by, cy) // UNITS), min(bottom - 1, max(ay, by, cy) // UNITS)
    left, right = max(0, min(ax, bx, cx) // UNITS), min(owner.shape[1] - 1, max(ax, bx, cx) // UNITS)
    # Rows grow downwards, so a triangle that is counter-clockwise seen from the camera has a negative area here.
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if first > last or left > right or area == 0 or (area > 0 and not double_sided):
        return
    za, zb, zc = nearness[0], nearness[1], nearness[2]
    if area < 0:
        bx, by, zb, cx, cy, zc, area = cx, cy, zc, bx, by, zb, -area
    to_b, to_c = zb - za, zc - za
    zx = (to_b * (cy - ay) - to_c * (by - ay)) / area
    zy = (to_c * (bx - ax) - to_b * (cx - ax)) / area
    ux, uy, u = _edge(ax, ay, bx, by)
    vx, vy, v = _edge(bx, by, cx, cy)
    wx, wy, w = _edge(cx, cy, ax, ay)
    peeling = limit.size > 0
    for row in range(first, last + 1):
        for column in range(left, right + 1):
            for s in range(SAMPLES):
                x, y = column * UNITS + OFFSETS[s, 0], row * UNITS + OFFSETS[s, 1]
                if (ux * x + uy * y + u) | (vx * x + vy * y + v) | (wx * x + wy * y + w) >= 0:
                    near = np.float32(za + zx * (x - ax) + zy * (y - ay))
                    if near > nearest[row, column, s] and not (peeling and near >= limit[row, column, s]):
                        nearest[row, column, s] = near
                        owner[row, column, s] = triangle


@compiled
def cover(
    view: Doubles,
    triangles: Indices,
    double_sided: NDArray[np.bool_],
    first: int,
    last: int,
    lens: tuple[float, float, float],
    near: float,
    places: NDArray[np.int64],
    nearness: Doubles,
    top: int,
    bottom: int,
    nearest: Floats,
    owner: Indices,
    limit: Floats,
) -> None:
    """Find the nearest triangle of [first, last) at the samples of rows [top, bottom), in place.

    Args:
        view: (N, 3) camera coordinates.
        triangles: (M, 3).
        double_sided: (M,), whether a triangle is visible from behind.
        first: First triangle.
        last: End of the triangles.
        lens: Focal length and x and y of the centre, in pixels.
        near: Depth of the near plane.
        places: (N, 2) by `project`.
        nearness: (N,) by `project`.
        top: First row.
        bottom: End of the rows.
        nearest: (H, W, 4), greatest nearness so far; 0 is infinitely far.
        owner: (H, W, 4), its triangle, or NOTHING.
        limit: (H, W, 4), only what is farther than this counts; or an empty array.
    """
    corners, near3 = np.empty((3, 2), np.int64), np.empty(3)
    for t in range(first, last):
        a, b, c = triangles[t]
        if places[a, 0] != _OUTSIDE and places[b, 0] != _OUTSIDE and places[c, 0] != _OUTSIDE:
            low, high = min(places[a, 1], places[b, 1], places[c, 1]), max(places[a, 1], places[b, 1], places[c, 1])
            if high >= top * UNITS and low < bottom * UNITS:
                for k in range(3):
                    corners[k] = places[triangles[t, k]]
                    near3[k] = nearness[triangles[t, k]]
                _fill(corners, near3, t, double_sided[t], top, bottom, nearest, owner, limit)
            continue
        polygon = _clip(view[triangles[t]], near, REACH_PIXELS / lens[0])
        # A corner on a plane may lie beyond it by rounding.
        outline, depths = project(polygon, lens, near / 2, REACH_PIXELS * 2)
        for k in range(1, polygon.shape[0] - 1):
            for corner, source in enumerate((0, k, k + 1)):
                corners[corner] = outline[source]
                near3[corner] = depths[source]
            _fill(corners, near3, t, double_sided[t], top, bottom, nearest, owner, limit)
