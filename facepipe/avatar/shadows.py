"""Shadows that parts of an avatar cast in the key light, per vertex.

A small picture of the avatar as seen by the light tells what the light reaches first. Interpolation between vertices
keeps the edges of shadows soft.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.coverage import NOTHING, OFFSETS, SAMPLES, UNITS, Doubles, cover
from facepipe.avatar.mesh import Floats, Indices
from facepipe.avatar.scene import Scene
from facepipe.models.compiled import compiled

SIDE = 128
"""Pixels along a side of the light's picture."""
CLEARANCE = 0.012
"""Distance in head heights up to which surfaces cast no shadow, because coarse pixels would shade bent surfaces."""
WINDOW = 2
"""Pixels around a vertex over which its shadow is averaged."""
NO_SHADOWS = ("lashes",)
"""Parts that cast none."""
FADE = (0.0, 0.3)
"""Cosines to the light between which shadows fade in: surfaces that turn away are dark already."""
HIDDEN = -0.35
"""Cosine to the viewer below which vertices are on the far side, where no shadow is seen."""
SAMPLE = (OFFSETS[0, 0] / UNITS, OFFSETS[0, 1] / UNITS)
"""Place of the sample that is read in a pixel."""


@compiled
def _lit(
    places: Doubles, heights: Doubles, facing: Doubles, toward: Floats, nearest: Floats, pixel: float, clearance: float
) -> Floats:
    """Return the fraction of the light that reaches each vertex, (N,).

    Args:
        places: (N, 2), x and y of vertices in the light's picture, in pixels.
        heights: (N,), towards the light.
        facing: (N, 3), unit normals along the axes of the picture: to the right, down, to the light.
        toward: (N,), cosines of the angle between normal and the direction to the camera, whose vertices count.
        nearest: (SIDE, SIDE, SAMPLES), greatest height at the samples; 0 where there is nothing.
        pixel: Side of a pixel in decimetres.
        clearance: Height in decimetres from which on surfaces cast shadows.
    """
    lit = np.ones(places.shape[0], np.float32)
    for i in range(places.shape[0]):
        share = min(max((facing[i, 2] - FADE[0]) / (FADE[1] - FADE[0]), 0.0), 1.0)
        if share == 0 or toward[i] < HIDDEN:
            continue
        x, y, hidden, weights = places[i, 0], places[i, 1], 0.0, 0.0
        left, top = int(np.floor(x)), int(np.floor(y))
        # The surface goes on as a plane, so that it does not shade itself.
        steep = pixel / max(facing[i, 2], 0.25)
        slope_x, slope_y = -facing[i, 0] * steep, -facing[i, 1] * steep
        for row in range(max(0, top - WINDOW), min(nearest.shape[0], top + WINDOW + 1)):
            for column in range(max(0, left - WINDOW), min(nearest.shape[1], left + WINDOW + 1)):
                across, down = column + SAMPLE[0] - x, row + SAMPLE[1] - y
                weight = max(0.0, 1.0 - (across * across + down * down) / ((WINDOW + 0.5) * (WINDOW + 0.5)))
                # Light that passes closely is not cut off sharply.
                plane = heights[i] + slope_x * across + slope_y * down
                gap = (nearest[row, column, 0] - plane) / clearance - 1.0
                hidden += weight * min(max(gap, 0.0), 1.0)
                weights += weight
        if weights > 0:
            lit[i] = 1.0 - share * hidden / weights
    return lit


def lit_vertices(
    scene: Scene, points: Doubles, normals: Floats, light: tuple[float, float, float], head_height: float
) -> Floats:
    """Return the fraction of the key light that reaches each vertex, (N,) in [0, 1].

    Args:
        scene: The scene; its transparent parts cast no shadows.
        points: (N, 3) camera coordinates.
        normals: (N, 3) unit normals in camera axes.
        light: Unit direction to the light.
        head_height: In decimetres.
    """
    casting = _casting(scene)
    if not len(casting):
        return np.ones(len(points), np.float32)
    x, y, z = light
    axes = np.array(((z, 0.0, -x), (x * y, -x * x - z * z, y * z), (x, y, z)))
    axes[:2] /= np.sqrt(x * x + z * z)
    placed = np.stack([_along(points, axis) for axis in axes], 1)
    casts = np.zeros(len(points), bool)
    casts[casting] = True
    used = placed[casts, :2]
    low, high = used.min(0), used.max(0)
    pixel = max(float((high - low).max()), 1e-9) / (SIDE - 2)
    places = (placed[:, :2] - low) / pixel + 1
    heights = placed[:, 2] - placed[:, 2].min() + 1
    units = np.rint(np.clip(places, -SIDE, 2 * SIDE) * UNITS).astype(np.int64)
    nearest, owner = np.zeros((SIDE, SIDE, SAMPLES), np.float32), np.full((SIDE, SIDE, SAMPLES), NOTHING, np.int32)
    numbers, unlimited = np.zeros(len(casting), np.int32), np.zeros((0, 0, 0), np.float32)
    cover(casting, numbers, units, heights, np.ones(1, bool), 0, nearest, owner, unlimited)
    facing = np.stack([_along(normals, axis) for axis in axes], 1)
    return _lit(places, heights, facing, np.ascontiguousarray(normals[:, 2]), nearest, pixel, CLEARANCE * head_height)


def _casting(scene: Scene) -> Indices:
    names = np.array([part.name not in NO_SHADOWS for part in scene.parts], bool)
    opaque = slice(0, scene.opaque_triangles)
    kept: Indices = scene.triangles[opaque][names[scene.owner[opaque]]]
    return kept


def _along(points: NDArray[np.floating], direction: Doubles) -> Doubles:
    """Return the product of each row and a vector, which BLAS would round by processor."""
    along: Doubles = points[:, 0] * direction[0] + points[:, 1] * direction[1] + points[:, 2] * direction[2]
    return along
