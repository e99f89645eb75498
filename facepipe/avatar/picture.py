"""Pictures of avatars: colour, part numbers, depth and normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.fragments import Fragments
from facepipe.avatar.mesh import Floats
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
    """(H, W), number of the part that covers most of the pixel: its index in PARTS plus 1; or 0, where the background
    covers more than any part."""
    depth: Floats
    """(H, W), distance of that part from the camera along the line of sight of the picture's centre, in decimetres;
    infinity for the background."""
    normals: Floats
    """(H, W, 3), unit normal of that part: x to the right, y up, z towards the viewer; zeros for the background."""


@compiled
def _level(light: float, starts: NDArray[np.float64], first: NDArray[np.int64]) -> int:
    """Return the sRGB level in [0, 255] nearest to a linear light."""
    steps = first.shape[0] - 1
    level = int(first[int(min(max(light, 0.0), 1.0) * steps)])
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
def add_light(count: int, fragments: Fragments, shaded: Floats, opacity: Doubles, light: Floats) -> None:
    """Add the light of fragments to the pixels that they cover, in place.

    Args:
        count: Number of fragments.
        fragments: The fragments.
        shaded: (3, F), linear RGB.
        opacity: (P,), of parts.
        light: (H * W, 4), linear RGB times alpha, and alpha.
    """
    pixel, seen, part = fragments.pixel, fragments.seen, fragments.part
    for f in range(count):
        k = pixel[f]
        for c in range(3):
            light[k, c] += seen[f] * shaded[c, f]
        light[k, 3] += seen[f] * np.float32(opacity[part[f]])


@compiled
def write_maps(
    count: int, fragments: Fragments, numbers: Pixels, parts: Pixels, depths: Floats, normals: Floats
) -> None:
    """Write part numbers (H * W,), depth (H * W,) and normals (H * W, 3) of the pixels that fragments cover.

    `numbers` (P,) are those of the parts. The fragments of a pixel follow each other.
    """
    pixel, part, share, depth, normal = (
        fragments.pixel,
        fragments.part,
        fragments.share,
        fragments.depth,
        fragments.normal,
    )
    first = 0
    while first < count:
        end = first + 1
        while end < count and pixel[end] == pixel[first]:
            end += 1
        best, most, covered = 0, np.float32(0), np.float32(0)
        for f in range(first, end):
            number, total = numbers[part[f]], np.float32(0)
            for other in range(first, end):
                total += share[other] if numbers[part[other]] == number else np.float32(0)
            if total > most:
                best, most = number, total
            covered += share[f]
        if most >= 1 - covered:
            k, z, x0, x1, x2 = pixel[first], 0.0, 0.0, 0.0, 0.0
            for f in range(first, end):
                if numbers[part[f]] == best:
                    weight = share[f] / most
                    z, x0 = z + weight * depth[f], x0 + weight * normal[0, f]
                    x1, x2 = x1 + weight * normal[1, f], x2 + weight * normal[2, f]
            scale = 1.0 / max(np.sqrt(x0 * x0 + x1 * x1 + x2 * x2), 1e-12)
            parts[k], depths[k] = best, z
            normals[k, 0], normals[k, 1], normals[k, 2] = x0 * scale, x1 * scale, x2 * scale
        first = end


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
