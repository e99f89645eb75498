"""Smoothing of coefficients over time, and the jitter that it takes away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]
Smoothing = Literal["none", "one-euro", "savitzky-golay"]

# One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): the cut-off rises with speed, so that slow motion is smooth and
# fast motion does not lag. Speeds are in units of the signal per second.
ONE_EURO_CUTOFF_HZ, ONE_EURO_SPEED_SHARE, ONE_EURO_SPEED_CUTOFF_HZ = 2.0, 1.5, 1.0


def jitter(rows: Floats) -> float:
    """Return how much (T, K) rows tremble: the root mean square of their second differences; 0 below three rows."""
    if len(rows) < 3:
        return 0.0
    return float(np.sqrt(np.mean(np.diff(rows, n=2, axis=0) ** 2)))


def one_euro(rows: Floats, fps: float) -> Floats:
    """Filter (T, K) rows with the One-Euro filter, forwards only."""
    if len(rows) == 0:
        return rows
    result, speed = np.empty_like(rows), np.zeros(rows.shape[1])
    result[0] = rows[0]
    for index in range(1, len(rows)):
        speed = speed + _share(ONE_EURO_SPEED_CUTOFF_HZ, fps) * ((rows[index] - result[index - 1]) * fps - speed)
        cutoff = ONE_EURO_CUTOFF_HZ + ONE_EURO_SPEED_SHARE * np.abs(speed)
        result[index] = result[index - 1] + _share(cutoff, fps) * (rows[index] - result[index - 1])
    return result


def _share(cutoff_hz: float | Floats, fps: float) -> float | Floats:
    return 1 / (1 + fps / (2 * np.pi * cutoff_hz))


def savitzky_golay(rows: Floats, window: int) -> Floats:
    """Lay a parabola through each window, an odd number of (T, K) rows; take its middle, and at the ends all of it."""
    # As scipy's filter does it, which takes most of a second to load: all who reenact would wait for it.
    window = min(window, len(rows) - (len(rows) + 1) % 2)
    if window <= 3:  # Through three points a parabola passes.
        return rows
    powers = np.vander(np.arange(window) - window // 2, 3)
    laid = powers @ np.linalg.pinv(powers)
    middle = np.lib.stride_tricks.sliding_window_view(rows, window, axis=0) @ laid[window // 2]
    return np.concatenate([laid[: window // 2] @ rows[:window], middle, laid[window // 2 + 1 :] @ rows[-window:]])


def smooth(rows: Floats, method: Smoothing, fps: float, seconds: float) -> Floats:
    """Smooth (T, K) rows by the named method; `seconds` is the length of the window of savitzky-golay."""
    if method == "one-euro":
        return one_euro(rows, fps)
    if method == "savitzky-golay":
        return savitzky_golay(rows, 2 * round((fps * seconds - 1) / 2) + 1)
    return rows


def smoothed(raw: Coefficients, method: Smoothing) -> Coefficients:
    """Return coefficients with the motion smoothed by the named method, each array over its own window."""
    # Angles of consecutive frames never jump by a full turn here, because a tracked head stays within a quarter turn.
    rows: dict[str, Any] = {
        name: smooth(np.asarray(getattr(raw, name)), method, float(raw.fps), seconds)
        for name, seconds in raw.space.smoothing_seconds.items()
    }
    return replace(raw, **rows)
