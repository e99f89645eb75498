"""Rasteriser of triangle meshes with vertex attributes and a depth buffer, the inner loop of the mesh renderer.

The first pass computes depth only; the second interpolates the attributes of the nearest triangle of each pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.models.compiled import compiled

Floats = NDArray[np.float32]
NOTHING = -1
# Triangles of a smaller area, in pixels, are skipped as degenerate.
MIN_AREA = 1e-6
# Tolerance of the barycentric coordinates, so that a pixel on a common edge belongs to at least one triangle.
SLACK = 1e-5


@compiled
def _cover(vertices: Floats, triangles: NDArray[np.int32], depth: Floats, owner: NDArray[np.int32]) -> None:
    """Compute the nearest triangle of each pixel, and its depth."""
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        ax, ay, az = float(vertices[a, 0]), float(vertices[a, 1]), float(vertices[a, 2])
        abx, aby, abz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        acx, acy, acz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        area = abx * acy - aby * acx
        left, right = max(0.0, ax + min(0.0, abx, acx)), min(width - 1.0, ax + max(0.0, abx, acx))
        if abs(area) < MIN_AREA or left > right:
            continue
        # The barycentric coordinates of b and c, and so the depth, change by a constant per column.
        step_b, step_c = acy / area, -aby / area
        step_a, step_z = -step_b - step_c, step_b * abz + step_c * acz
        first_row, last_row = np.ceil(ay + min(0.0, aby, acy)), np.floor(ay + max(0.0, aby, acy))
        for row in range(int(max(0.0, first_row)), int(min(height - 1.0, last_row)) + 1):
            b0, c0 = (ay - row) * acx / area, (row - ay) * abx / area
            low, high = left, right
            for start, step in ((1.0 - b0 - c0, step_a), (b0, step_b), (c0, step_c)):
                if step > 0.0:
                    low = max(low, ax - (start + SLACK) / step)
                elif step < 0.0:
                    high = min(high, ax - (start + SLACK) / step)
                elif start < -SLACK:
                    high = -1.0
            z0 = az + b0 * abz + c0 * acz
            for column in range(int(np.ceil(low)), int(np.floor(high)) + 1):
                z = np.float32(z0 + step_z * (column - ax))
                if z < depth[row, column]:
                    depth[row, column] = z
                    owner[row, column] = t


@compiled
def _fill(
    vertices: Floats, triangles: NDArray[np.int32], values: Floats, owner: NDArray[np.int32], out: Floats
) -> None:
    """Interpolate the values at each pixel that is covered by a triangle."""
    channels = values.shape[1]
    planes = np.zeros((triangles.shape[0], channels, 3))
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        ax, ay = float(vertices[a, 0]), float(vertices[a, 1])
        abx, aby, acx, acy = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[c, 0] - ax, vertices[c, 1] - ay
        area = abx * acy - aby * acx
        for k in range(channels if abs(area) >= MIN_AREA else 0):
            to_b, to_c = values[b, k] - values[a, k], values[c, k] - values[a, k]
            across, down = (to_b * acy - to_c * aby) / area, (to_c * abx - to_b * acx) / area
            planes[t, k, 0] = values[a, k] - across * ax - down * ay
            planes[t, k, 1], planes[t, k, 2] = across, down
    for row in range(owner.shape[0]):
        for column in range(owner.shape[1]):
            t = owner[row, column]
            if t != NOTHING:
                for k in range(channels):
                    out[row, column, k] = planes[t, k, 0] + planes[t, k, 1] * column + planes[t, k, 2] * row


def rasterise(
    vertices: Floats, triangles: NDArray[np.int32], values: Floats, *, height: int, width: int
) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Rasterise triangles; the smallest z is in front.

    Args:
        vertices: (V, 3) in pixels; pixel centres are integers.
        triangles: (M, 3) vertex indices.
        values: (V, K) attributes of the vertices.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        Interpolated values, (H, W, K) float32; depth, (H, W) float32; and triangle indices, (H, W) int32. Pixels that
        no triangle covers have values 0, depth inf and triangle -1.

    Raises ValueError for vertices that are not finite.
    """
    if not np.isfinite(vertices).all():
        raise ValueError("got vertices that are not finite, expected finite numbers")
    depth = np.full((height, width), np.inf, np.float32)
    owner = np.full((height, width), NOTHING, np.int32)
    out = np.zeros((height, width, values.shape[1]), np.float32)
    vertices, triangles = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(triangles, np.int32)
    _cover(vertices, triangles, depth, owner)
    _fill(vertices, triangles, np.ascontiguousarray(values, np.float32), owner, out)
    return out, depth, owner
