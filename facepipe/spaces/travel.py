"""Keeping a head in its picture: the part of a path through the picture that would lead out of it is taken back.

A portrait has a face's width of room on each side, whereas drivers walk across a whole scene. Where a path leaves the
room, the slow part of it is scaled down, as by a camera that follows; nods and sways keep their size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

# Standard deviation of the Gaussian that separates the slow part of a path.
SLOW_SECONDS = 1.0
# Shares of the slow part that are tried.
SHARES = np.linspace(0, 1, 51)


class Kept(NamedTuple):
    """A path that stays in its room."""

    path: Floats
    """(T,)"""
    taken_back: float
    """Largest share of the distance from the start that was taken back in any shot, 0 to 1."""


def kept_inside(path: Floats, low: Floats, high: Floats, start: float, groups: list[slice], fps: float) -> Kept:
    """Return a path (T,) that stays between `low` and `high` (T,) and deviates from `start` otherwise as before.

    `groups` are the shots; each is treated by itself. A path that is inside is returned unchanged.
    """
    low, high = np.minimum(low, high), np.maximum(low, high)
    result, most = np.array(path, float), 0.0
    for group in groups:
        one, bottom, top = np.array(path[group], float), low[group], high[group]
        if ((one >= bottom) & (one <= top)).all():
            continue
        slow = slow_part(one - start, SLOW_SECONDS * fps)
        tried = one - SHARES[:, None] * slow
        beyond = np.maximum(bottom - tried, tried - top).clip(0).max(1)
        best = int(np.argmin(np.round(beyond, 3)))
        result[group] = np.clip(tried[best], bottom, top)
        far, kept = (float(np.abs(part - start).max()) for part in (one, result[group]))
        most = max(most, 1 - kept / far if far else 0.0)
    return Kept(result, most)


def slow_part(path: Floats, frames: float) -> Floats:
    """Return a path (T,) smoothed by a Gaussian with a standard deviation of `frames`; ramps keep their ends."""
    reach = min(int(3 * frames) + 1, len(path) - 1)
    if reach < 1:
        return path
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    # Reflected through its end, a steady walk goes on beyond the end.
    before, after = 2 * path[0] - path[reach:0:-1], 2 * path[-1] - path[-2 : -reach - 2 : -1]
    return np.convolve(np.concatenate([before, path, after]), weights / weights.sum(), mode="valid")


def groups_of(shot: NDArray[np.int32]) -> list[slice]:
    """Return the runs of equal numbers in (T,) shots."""
    ends = [*(np.flatnonzero(np.diff(shot)) + 1).tolist(), len(shot)]
    return [slice(first, end) for first, end in zip([0, *ends], ends, strict=False) if end > first]
