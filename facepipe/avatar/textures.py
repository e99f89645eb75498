"""Textures: pictures on parts, with smaller versions for smaller faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.light import linear
from facepipe.avatar.mesh import Floats, Part

Pixels = NDArray[np.uint8]
MAX_LEVELS = 8


def texture_levels(parts: Sequence[Part], textures: Mapping[str, Pixels]) -> tuple[Floats, NDArray[np.int64]]:
    """Return the texels of all textures and the place of each level.

    Args:
        parts: P parts.
        textures: (H, W, 3) uint8 sRGB, by name of a part. The first row is at v = 1.

    Returns:
        (K, 3) linear RGB; and (P, MAX_LEVELS, 3): first texel, height and width of each level, or zeros. Each level is
        half as high and wide as the one before.
    """
    texels, places, count = [np.zeros((0, 3), np.float32)], np.zeros((len(parts), MAX_LEVELS, 3), np.int64), 0
    for place, part in zip(places, parts, strict=True):
        if part.name not in textures:
            continue
        level = linear(textures[part.name] / np.float32(255))
        for entry in place:
            height, width = level.shape[:2]
            entry[:] = count, height, width
            texels.append(level.reshape(-1, 3))
            count += height * width
            if min(height, width) < 2:
                break
            level = _halved(level)
    return np.concatenate(texels), places


def _halved(level: Floats) -> Floats:
    """Return a level of half the height and width, rounded down; each texel is the mean of 2x2."""
    even = level[: level.shape[0] // 2 * 2, : level.shape[1] // 2 * 2]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / np.float32(4)
