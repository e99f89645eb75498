"""Rasterising a triangle mesh with per-vertex values and a depth buffer: the inner loop of the mesh renderer."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
NOTHING = -1


@njit(cache=True, nogil=True, fastmath=False)
def _rasterise(
    vertices: Floats, triangles: NDArray[np.int32], values: Floats, depth: Floats, owner: NDArray[np.int32], out: Floats
) -> None:
    height, width = depth.shape
    channels = values.shape[1]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        bx, by, bz = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        cx, cy, cz = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-6:
            continue
        first_row = max(0, int(np.ceil(min(ay, by, cy))))
        last_row = min(height - 1, int(np.floor(max(ay, by, cy))))
        first_column = max(0, int(np.ceil(min(ax, bx, cx))))
        last_column = min(width - 1, int(np.floor(max(ax, bx, cx))))
        inverse = 1.0 / area
        # A hair of slack keeps neighbours from both missing a pixel that lies on their common edge.
        slack = -1e-5
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                weight_b = ((column - ax) * (cy - ay) - (row - ay) * (cx - ax)) * inverse
                weight_c = ((bx - ax) * (row - ay) - (by - ay) * (column - ax)) * inverse
                weight_a = 1.0 - weight_b - weight_c
                if weight_a < slack or weight_b < slack or weight_c < slack:
                    continue
                z = weight_a * az + weight_b * bz + weight_c * cz
                if z < depth[row, column]:
                    depth[row, column] = z
                    owner[row, column] = t
                    for k in range(channels):
                        out[row, column, k] = (
                            weight_a * values[a, k] + weight_b * values[b, k] + weight_c * values[c, k]
                        )


def rasterise(
    vertices: Floats, triangles: NDArray[np.int32], values: Floats, *, height: int, width: int
) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Draw triangles, nearest (smallest z) in front, and interpolate the values of their corners.

    `vertices` (V, 3) float32 in pixels, pixel centres at whole numbers; `triangles` (M, 3); `values` (V, K) float32.
    Returns values (H, W, K), zero where nothing lies; depth (H, W), infinite there; and the triangle (H, W), -1 there.
    """
    depth = np.full((height, width), np.inf, np.float32)
    owner = np.full((height, width), NOTHING, np.int32)
    out = np.zeros((height, width, values.shape[1]), np.float32)
    _rasterise(
        np.ascontiguousarray(vertices, np.float32),
        np.ascontiguousarray(triangles, np.int32),
        np.ascontiguousarray(values, np.float32),
        depth,
        owner,
        out,
    )
    return out, depth, owner
