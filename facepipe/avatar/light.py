"""Light: sRGB values and the linear light that they stand for (IEC 61966-2-1).

Conversions read tables, so that all processors round alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats

STEPS = 1024


def linear_light(srgb: float) -> float:
    """Return the linear light of one sRGB value, both in [0, 1]."""
    return srgb / 12.92 if srgb <= 0.04045 else float(((srgb + 0.055) / 1.055) ** 2.4)


_SRGB = np.arange(STEPS + 1) / STEPS
_LINEAR = np.array([linear_light(float(value)) for value in _SRGB])
LEVEL_STARTS = np.array([0.0, *(linear_light((level - 0.5) / 255) for level in range(1, 256)), np.inf])
"""(257,), the least linear light that rounds to each of the levels 0 to 255; then infinity."""
FIRST_LEVELS = np.searchsorted(LEVEL_STARTS, np.arange(STEPS + 1) / STEPS, side="right").astype(np.int64) - 1
"""(STEPS + 1,), the level of evenly spaced linear light; where a search for others starts."""


def linear(srgb: NDArray[np.floating[Any]]) -> Floats:
    """Return the linear light of sRGB values; values outside of [0, 1] are clipped."""
    light: Floats = np.interp(srgb, _SRGB, _LINEAR).astype(np.float32)
    return light
