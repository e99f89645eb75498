"""Ambient occlusion: how much of the surroundings the points of a picture see, from their depth.

It is computed on a coarse grid of the same fineness in pictures of all sizes, and interpolated between cells of like
depth.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import compiled

GRID_CELLS = 128
"""Cells along the shorter side of a picture, if it has as many pixels."""
REACH = 0.11
"""Distance up to which surfaces darken each other, in head heights."""
TAPS = 20
BIAS = 0.12
"""Sine of the elevation up to which a neighbour hides nothing, so that bent surfaces do not darken themselves."""
STRENGTH = 3.2


def _spiral(count: int) -> NDArray[np.float64]:
    """Return (count, 2) offsets that fill the unit disc, more of them near its centre."""
    golden = math.pi * (3 - math.sqrt(5))
    radii = [((i + 0.7) / count) ** 0.8 for i in range(count)]
    return np.array([(r * math.cos(i * golden), r * math.sin(i * golden)) for i, r in enumerate(radii)])


_SPIRAL = _spiral(TAPS)


def cell_pixels(height: int, width: int) -> int:
    """Return the side of a cell in pixels."""
    return max(1, round(min(height, width) / GRID_CELLS))


@compiled
def gather(
    nearest: Floats,
    owner: Indices,
    triangles: Indices,
    normals: Floats,
    lens: tuple[float, float, float],
    cell: int,
) -> tuple[Floats, Floats]:
    """Return the camera coordinates and normals, (h, w, 3) each, at the centres of cells; z is 0 for the background."""
    height, width = (owner.shape[0] + cell - 1) // cell, (owner.shape[1] + cell - 1) // cell
    points, facing = np.zeros((height, width, 3), np.float32), np.zeros((height, width, 3), np.float32)
    focal, centre_x, centre_y = lens
    for i in range(height):
        for j in range(width):
            row, column = min(i * cell + cell // 2, owner.shape[0] - 1), min(j * cell + cell // 2, owner.shape[1] - 1)
            t = owner[row, column, 0]
            if t < 0:
                continue
            depth = 1.0 / nearest[row, column, 0]
            points[i, j, 0] = (column + 0.5 - centre_x) / focal * depth
            points[i, j, 1] = (centre_y - row - 0.5) / focal * depth
            points[i, j, 2] = -depth
            nx, ny, nz = 0.0, 0.0, 0.0
            for k in range(3):
                corner = triangles[t, k]
                nx, ny, nz = nx + normals[corner, 0], ny + normals[corner, 1], nz + normals[corner, 2]
            length = np.sqrt(nx * nx + ny * ny + nz * nz)
            toward = nx * points[i, j, 0] + ny * points[i, j, 1] + nz * points[i, j, 2]
            scale = (-1.0 if toward > 0 else 1.0) / max(length, 1e-12)
            facing[i, j, 0], facing[i, j, 1], facing[i, j, 2] = nx * scale, ny * scale, nz * scale
    return points, facing


@compiled
def openness(points: Floats, facing: Floats, reach: float, reach_cells_at_1: float, out: Floats) -> None:
    """Write the fraction of the surroundings that is open, (h, w) in [0, 1].

    `reach` is in decimetres; `reach_cells_at_1` is its size in cells at a depth of 1 decimetre.
    """
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            out[i, j] = 1.0
            depth = -points[i, j, 2]
            if depth <= 0:
                continue
            radius, hidden = reach_cells_at_1 / depth, 0.0
            for k in range(TAPS):
                row = int(np.rint(i + radius * _SPIRAL[k, 1]))
                column = int(np.rint(j + radius * _SPIRAL[k, 0]))
                if not (0 <= row < height and 0 <= column < width) or points[row, column, 2] == 0:
                    continue
                x, y = points[row, column, 0] - points[i, j, 0], points[row, column, 1] - points[i, j, 1]
                z = points[row, column, 2] - points[i, j, 2]
                squared = x * x + y * y + z * z
                if squared > 0:
                    rise = (x * facing[i, j, 0] + y * facing[i, j, 1] + z * facing[i, j, 2]) / np.sqrt(squared)
                    hidden += max(0.0, rise - BIAS) * max(0.0, 1.0 - squared / (reach * reach))
            out[i, j] = max(0.0, 1.0 - STRENGTH * hidden / TAPS)


@compiled
def smooth(points: Floats, open_part: Floats, tolerance: float, out: Floats) -> None:
    """Average 3x3 cells of like depth, within `tolerance` decimetres."""
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            total, weights = 0.0, 0.0
            for row in range(max(0, i - 1), min(height, i + 2)):
                for column in range(max(0, j - 1), min(width, j + 2)):
                    weight = 1.0 / (1.0 + abs(points[row, column, 2] - points[i, j, 2]) / tolerance) ** 2
                    total += weight * open_part[row, column]
                    weights += weight
            out[i, j] = total / weights


def occlusion(
    nearest: Floats,
    owner: Indices,
    triangles: Indices,
    normals: Floats,
    lens: tuple[float, float, float],
    head_height: float,
) -> tuple[Floats, Floats]:
    """Return depth and openness of the cells, (h, w) each; the depth of the background is 0."""
    cell = cell_pixels(*owner.shape[:2])
    reach = REACH * head_height
    points, facing = gather(nearest, owner, triangles, normals, lens, cell)
    rough = np.empty(points.shape[:2], np.float32)
    openness(points, facing, reach, reach * lens[0] / cell, rough)
    out = np.empty_like(rough)
    smooth(points, rough, reach / 8, out)
    return np.ascontiguousarray(-points[..., 2]), out
