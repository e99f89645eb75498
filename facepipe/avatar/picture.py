"""Pictures of avatars: colour, part numbers, depth and normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import compiled

Pixels = NDArray[np.uint8]
Doubles = NDArray[np.float64]
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
def add_light(
    count: int, pixel: Indices, samples: Floats, part: Pixels, shaded: Floats, opacity: Doubles, light: Floats
) -> None:
    """Add the light of fragments to the pixels that they cover, in place.

    Args:
        count: Number of fragments.
        pixel: (F,), index of the pixel of each.
        samples: (F,), share of each fragment in its pixel.
        part: (F,), index of the part.
        shaded: (3, F), linear RGB.
        opacity: (P,), of parts.
        light: (H * W, 4), linear RGB times alpha, and alpha.
    """
    for f in range(count):
        k = pixel[f]
        for c in range(3):
            light[k, c] += samples[f] * shaded[c, f]
        light[k, 3] += samples[f] * np.float32(opacity[part[f]])


@compiled
def write_colour(
    light: Floats,
    background: Doubles,
    starts: Doubles,
    first: NDArray[np.int64],
    colour: Pixels,
) -> None:
    """Write the colours of a picture.

    Args:
        light: (H * W, 4), linear RGB times alpha, and alpha.
        background: (3,), linear RGB.
        starts: LEVEL_STARTS of `facepipe.avatar.light`.
        first: FIRST_LEVELS.
        colour: (H, W, 3 or 4) sRGB, the latter with alpha.
    """
    width, channels = colour.shape[1], colour.shape[2]
    behind = np.zeros(4, np.uint8)
    for c in range(3 if channels == 3 else 0):
        behind[c] = _level(background[c], starts, first)
    for row in range(colour.shape[0]):
        for column in range(width):
            k = row * width + column
            alpha = min(float(light[k, 3]), 1.0)
            if alpha == 0:
                for c in range(channels):
                    colour[row, column, c] = behind[c]
                continue
            for c in range(3):
                value = _compressed(light[k, c] / alpha)
                if channels == 3:
                    value = value * alpha + background[c] * (1.0 - alpha)
                colour[row, column, c] = _level(value, starts, first)
            if channels == 4:
                colour[row, column, 3] = int(np.floor(alpha * 255.0 + 0.5))
