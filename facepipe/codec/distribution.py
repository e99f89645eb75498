"""Distributions of quantised numbers, computed by integer arithmetic only: the same on every machine.

The density is that of Student's t, (1 + (x / spread)**2 / nu)**-((nu + 1) / 2), sampled at 8 places of every step of
the quantiser. A table names one of 192 distributions by its index: 64 spreads from 1/16 step on, each 2**(1/4) times
the one before, for each of three shapes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import entropy

REACH = 2047
"""Numbers are from -2047 to 2047; symbols are these plus 2047."""
SYMBOLS = 2 * REACH + 1
FREEDOMS = (3, 7, 15)
"""Degrees of freedom of the shapes."""
SPREADS = tuple(base << octave for octave in range(16) for base in (16384, 19484, 23170, 27554))
"""In parts of 1/262144 step."""
COUNT = len(FREEDOMS) * len(SPREADS)
_SAMPLES = 8
_STEP = 1 << 18
_UNITY = 1 << 12
_MAX_RATIO = 1 << 24


@cache
def frequencies(index: int) -> NDArray[np.int64]:
    """Return the (4095,) frequencies of a distribution; their sum is 2**24."""
    shape, place = divmod(index, len(SPREADS))
    freedom, spread = FREEDOMS[shape], SPREADS[place]
    halves = np.abs(np.arange(SYMBOLS * _SAMPLES, dtype=np.int64) * 2 + 1 - SYMBOLS * _SAMPLES)
    ratio = np.minimum(halves * (_STEP // (2 * _SAMPLES)) * _UNITY // spread, _MAX_RATIO)
    base = _UNITY + ratio * ratio // (freedom * _UNITY)
    density = np.full(len(base), 1 << 40, np.int64)
    for _ in range((freedom + 1) // 2):
        density = density * _UNITY // base
    mass = density.reshape(SYMBOLS, _SAMPLES).sum(1) >> 18
    rest = (1 << entropy.PRECISION_BITS) - SYMBOLS
    shares: NDArray[np.int64] = mass * rest // int(mass.sum())
    shares[REACH] += rest - shares.sum()
    return shares + 1


@cache
def model(index: int) -> entropy.Model:
    """Return a distribution for the entropy coder."""
    return entropy.categorical(frequencies(index))


@cache
def costs() -> NDArray[np.float64]:
    """Return the (192, 4095) bits of each symbol under each distribution."""
    return entropy.PRECISION_BITS - np.log2([frequencies(index) for index in range(COUNT)])
