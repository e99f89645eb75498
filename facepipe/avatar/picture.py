"""Pictures of avatars: colour, part numbers, depth and normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import compiled

Pixels = NDArray[np.uint8]
SHOULDER = 0.7
"""Linear light from which on highlights are compressed, so that they keep their colour."""


@dataclass(frozen=True)
class Picture:
    """A picture of an avatar. Transparent parts are seen in the colour only."""

    colour: Pixels
    """(H, W, 3) sRGB; or (H, W, 4) with alpha, colours not multiplied by it, if no background was given."""
    parts: Pixels
    """(H, W), number of the part that covers most of the pixel: its index in PARTS plus 1; 0 is the background."""
    depth: Floats
    """(H, W), distance of that part from the camera along the line of sight of the picture's centre, in decimetres;
    infinity for the background."""
    normals: Floats
    """(H, W, 3), unit normal of that part: x to the right, y up, z towards the viewer; zeros for the background."""


@compiled
def _level(light: float, starts: NDArray[np.float64], first: NDArray[np.int64]) -> int:
    """Return the sRGB level in [0, 255] nearest to a linear light."""
    steps = first.shape[0] - 1
    level = first[int(min(max(light, 0.0), 1.0) * steps)]
    while light >= starts[level + 1]:
        level += 1
    return level


@compiled
def _compressed(light: float) -> float:
    """Return a light below 1; lights below SHOULDER stay as they are."""
    if light <= SHOULDER:
        return light
    excess = (light - SHOULDER) / (1.0 - SHOULDER)
    return SHOULDER + (1.0 - SHOULDER) * excess / (1.0 + excess)


@compiled
def write_colour(
    light: Floats,
    background: NDArray[np.float64],
    starts: NDArray[np.float64],
    first: NDArray[np.int64],
    top: int,
    bottom: int,
    colour: Pixels,
) -> None:
    """Write rows [top, bottom) of the picture (H, W, 3 or 4) of a light (H, W, 4); `background` is linear RGB."""
    channels = colour.shape[2]
    for row in range(top, bottom):
        for column in range(colour.shape[1]):
            alpha = min(float(light[row, column, 3]), 1.0)
            for c in range(3):
                value = float(light[row, column, c])
                if channels == 3:
                    value = _compressed(value / max(alpha, 1e-6)) * alpha + background[c] * (1.0 - alpha)
                elif alpha > 0:
                    value = _compressed(value / alpha)
                colour[row, column, c] = _level(value, starts, first)
            if channels == 4:
                colour[row, column, 3] = int(np.floor(alpha * 255.0 + 0.5))


@compiled
def write_parts(
    owner: Indices,
    numbers: Pixels,
    nearest: Floats,
    normals: Floats,
    top: int,
    bottom: int,
    out: tuple[Pixels, Floats, Floats],
) -> None:
    """Write part, depth and normal of rows [top, bottom) of a picture.

    Args:
        owner: (H, W, S), triangles at the samples.
        numbers: (M,), number of the part of each triangle.
        nearest: (H, W, S), nearness at the samples.
        normals: (H, W, S, 3).
        top: First row.
        bottom: End of the rows.
        out: (H, W) part numbers, (H, W) depth, (H, W, 3) normals.
    """
    parts, depths, mean = out
    samples = owner.shape[2]
    for row in range(top, bottom):
        for column in range(owner.shape[1]):
            best, most = 0, 0
            for s in range(samples):
                t = owner[row, column, s]
                number = numbers[t] if t >= 0 else 0
                count = 0
                for r in range(samples):
                    other = owner[row, column, r]
                    count += number == (numbers[other] if other >= 0 else 0)
                if count > most:
                    best, most = number, count
            parts[row, column] = best
            depth, x, y, z = 0.0, 0.0, 0.0, 0.0
            for s in range(samples if best else 0):
                t = owner[row, column, s]
                if t >= 0 and numbers[t] == best:
                    depth += 1.0 / nearest[row, column, s] / most
                    x, y, z = x + normals[row, column, s, 0], y + normals[row, column, s, 1], z + normals[row, column, s, 2]
            depths[row, column] = depth if best else np.inf
            scale = 1.0 / max(np.sqrt(x * x + y * y + z * z), 1e-12)
            mean[row, column, 0], mean[row, column, 1], mean[row, column, 2] = x * scale, y * scale, z * scale
