"""Closest points of triangles."""

from __future__ import annotations

import numpy as np

from facepipe.avatar.mesh import Indices, Reals
from facepipe.models.compiled import compiled

SLACK = 1e-9
"""Relative margin of the bound that leaves out triangles, against rounding."""


@compiled
def closest(
    points: Reals, corners: Reals, candidates: Indices, centre_distances: Reals, radii: Reals
) -> tuple[Indices, Reals]:
    """Return for each point (K, 3) the candidate triangle that is closest, and barycentric weights (K, 3) of the place.

    Args:
        points: (K, 3).
        corners: (M, 3, 3), of all triangles.
        candidates: (K, C), the triangles that are searched for each point.
        centre_distances: (K, C), distances of their centres from the point.
        radii: (M,), largest distance of a corner from the centre of its triangle.
    """
    found = np.zeros(len(points), np.int32)
    weights = np.zeros((len(points), 3))
    for row in range(len(points)):
        nearest = np.inf
        for number in range(candidates.shape[1]):
            triangle = candidates[row, number]
            # No point of a triangle is nearer than its centre by more than its radius.
            reach = (1 - SLACK) * centre_distances[row, number] - radii[triangle]
            if reach > 0 and reach * reach > nearest:
                continue
            a, b, c = corners[triangle, 0], corners[triangle, 1], corners[triangle, 2]
            u, v, w = _weights(points[row], a, b, c)
            distance = 0.0
            for axis in range(3):
                distance += (u * a[axis] + v * b[axis] + w * c[axis] - points[row, axis]) ** 2
            if distance < nearest:
                nearest = distance
                found[row] = triangle
                weights[row, 0], weights[row, 1], weights[row, 2] = u, v, w
    return found, weights


@compiled
def _weights(point: Reals, a: Reals, b: Reals, c: Reals) -> tuple[float, float, float]:
    """Return the weights of the closest point of a triangle: at a corner, on an edge, or inside."""
    b_a, c_a = _along(b, a, point, a), _along(c, a, point, a)
    b_b, c_b = _along(b, a, point, b), _along(c, a, point, b)
    b_c, c_c = _along(b, a, point, c), _along(c, a, point, c)
    if b_a <= 0 and c_a <= 0:
        return 1.0, 0.0, 0.0
    if b_b >= 0 and c_b <= b_b:
        return 0.0, 1.0, 0.0
    if c_c >= 0 and b_c <= c_c:
        return 0.0, 0.0, 1.0
    area_a, area_b, area_c = b_b * c_c - b_c * c_b, b_c * c_a - b_a * c_c, b_a * c_b - b_b * c_a
    if area_c <= 0 <= b_a and b_b <= 0:
        share = b_a / (b_a - b_b)
        return 1 - share, share, 0.0
    if area_b <= 0 <= c_a and c_c <= 0:
        share = c_a / (c_a - c_c)
        return 1 - share, 0.0, share
    if area_a <= 0 and c_b >= b_b and b_c >= c_c:
        share = (c_b - b_b) / ((c_b - b_b) + (b_c - c_c))
        return 0.0, 1 - share, share
    whole = area_a + area_b + area_c
    return area_a / whole, area_b / whole, area_c / whole


@compiled
def _along(end: Reals, start: Reals, point: Reals, origin: Reals) -> float:
    """Return the scalar product of `end - start` and `point - origin`; written out, as small arrays are slow."""
    return float(
        (end[0] - start[0]) * (point[0] - origin[0])
        + (end[1] - start[1]) * (point[1] - origin[1])
        + (end[2] - start[2]) * (point[2] - origin[2])
    )
