"""Correlation of two motion signals over small lags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

MAX_LAG = 3


def correlation(first: Floats, second: Floats) -> float:
    """Return the Pearson correlation of two signals (T,); 0 if one of them is constant."""
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / norm if norm > 1e-9 else 0.0


def best_lag(made: Floats, true: Floats, max_lag: int = MAX_LAG) -> tuple[float, int]:
    """Return the highest correlation of two signals (T,) and its lag in frames, which is positive if `made` is late."""
    count = min(len(made), len(true))
    scores = []
    for lag in range(-max_lag, max_lag + 1):
        ours = made[max(lag, 0) : count + min(lag, 0)]
        theirs = true[max(-lag, 0) : count + min(-lag, 0)]
        scores.append((correlation(ours, theirs), lag))
    return max(scores, key=lambda one: (one[0], -abs(one[1])))
