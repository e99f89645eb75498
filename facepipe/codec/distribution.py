"""Distributions of quantised numbers, computed by integer arithmetic only: the same on every machine.

The density is that of Student's t with 7 degrees of freedom, (1 + (x / spread)**2 / 7)**-4, sampled at 8 places of every
quantisation interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.codec.entropy import PRECISION_BITS

ALPHABET_REACH = 1023
"""Numbers are from -1023 to 1023."""
SAMPLES = 8
UNITY = 1 << 12
# Scales are half powers of two: 1/4 in units of 1/1024, and rounded to integers.
STEPS = [round(256 * 2 ** (scale / 2)) for scale in range(16)]


def frequencies(spread: int, scale: int) -> NDArray[np.int64]:
    """Return the (2047,) frequencies, which sum up to 2**24, of a number with a spread in 1/1024."""
    count = 2 * ALPHABET_REACH + 1
    place = np.arange(count * SAMPLES, dtype=np.int64) * 2 + 1 - count * SAMPLES
    distance = np.abs(place) * STEPS[scale] // (2 * SAMPLES)
    ratio = np.minimum(distance * UNITY // max(spread, 1), UNITY << 12)
    base = UNITY + ratio * ratio // (7 * UNITY)
    density = np.full(len(base), 1 << 40, np.int64)
    for _ in range(4):
        density = density * UNITY // base
    mass = density.reshape(count, SAMPLES).sum(1)
    rest = (1 << PRECISION_BITS) - count
    shares = (mass >> 24) * rest // int((mass >> 24).sum())
    shares[ALPHABET_REACH] += rest - shares.sum()
    return shares + 1
