"""Rasterising a triangle mesh with per-vertex values and a depth buffer: the inner loop of the mesh renderer.

First every triangle is scanned for depth alone; then each pixel takes the values of the one triangle that was nearest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.models.compiled import compiled

Floats = NDArray[np.float32]
NOTHING = -1
# Triangles of a smaller area, in pixels, are seen from the edge.
LEAST_AREA = 1e-6
# A hair of slack keeps neighbours from both missing a pixel that lies on their common edge.
SLACK = 1e-5


@compiled
def _cover(vertices: Floats, triangles: NDArray[np.int32], depth: Floats, owner: NDArray[np.int32]) -> None:
    """Find the nearest triangle of each pixel, and its depth."""
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        ax, ay, az = float(vertices[a, 0]), float(vertices[a, 1]), float(vertices[a, 2])
        abx, aby, abz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        acx, acy, acz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        area = abx * acy - aby * acx
        left, right = max(0.0, ax + min(0.0, abx, acx)), min(width - 1.0, ax + max(0.0, abx, acx))
        if abs(area) < LEAST_AREA or left > right:
            continue
        # The weights of the corners b and c, and with them the depth, change by a constant from column to column.
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
    """Interpolate the values in each pixel that belongs to a triangle."""
    channels = values.shape[1]
    planes = np.zeros((triangles.shape[0], channels, 3))
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        ax, ay = float(vertices[a, 0]), float(vertices[a, 1])
        abx, aby, acx, acy = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[c, 0] - ax, vertices[c, 1] - ay
        area = abx * acy - aby * acx
        for k in range(channels if abs(area) >= LEAST_AREA else 0):
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
    """Draw triangles, nearest (smallest z) in front, and interpolate the values of their corners.

    `vertices` (V, 3) float32 in pixels, pixel centres at whole numbers; `triangles` (M, 3); `values` (V, K) float32.
    Returns values (H, W, K), zero where nothing lies; depth (H, W), infinite there; and the triangle (H, W), -1 there.
    Raises ValueError for vertices that are not finite.
    """
    if not np.isfinite(vertices).all():
        raise ValueError("got vertices that are no numbers, expected finite ones")
    depth = np.full((height, width), np.inf, np.float32)
    owner = np.full((height, width), NOTHING, np.int32)
    out = np.zeros((height, width, values.shape[1]), np.float32)
    vertices, triangles = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(triangles, np.int32)
    _cover(vertices, triangles, depth, owner)
    _fill(vertices, triangles, np.ascontiguousarray(values, np.float32), owner, out)
    return out, depth, owner
