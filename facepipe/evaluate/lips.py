"""How well one motion of the lips follows another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

LARGEST_LAG = 3


def correlation(first: Floats, second: Floats) -> float:
    """Return the correlation of two signals (T,); 0 where one of them stands still."""
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size > 1e-9 else 0.0


def best_lag(made: Floats, true: Floats, largest: int = LARGEST_LAG) -> tuple[float, int]:
    """Return the highest correlation of two signals of T frames, and at which lag; positive is `made` coming late."""
    count = min(len(made), len(true))
    found = []
    for lag in range(-largest, largest + 1):
        ours = made[max(lag, 0) : count + min(lag, 0)]
        theirs = true[max(-lag, 0) : count + min(-lag, 0)]
        found.append((correlation(ours, theirs), lag))
    return max(found, key=lambda one: (one[0], -abs(one[1])))
