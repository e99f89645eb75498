"""Smoothing of coefficients over time, and the jitter that it takes away."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Smoothing = Literal["none", "one-euro", "savitzky-golay"]

# One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): the cut-off rises with speed, so that slow motion is smooth and
# fast motion does not lag. Speeds are in units of the signal per second.
ONE_EURO_CUTOFF_HZ, ONE_EURO_SPEED_SHARE, ONE_EURO_SPEED_CUTOFF_HZ = 2.0, 1.5, 1.0
SAVITZKY_GOLAY_WINDOW, SAVITZKY_GOLAY_ORDER = 7, 2


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


def smooth(rows: Floats, method: Smoothing, fps: float) -> Floats:
    """Smooth (T, K) rows by the named method."""
    if method == "one-euro":
        return one_euro(rows, fps)
    if method == "savitzky-golay" and len(rows) >= SAVITZKY_GOLAY_WINDOW:
        # Here, not above: scipy takes most of a second to load, and who does not smooth must not wait for it.
        from scipy.signal import savgol_filter  # noqa: PLC0415

        return np.asarray(savgol_filter(rows, SAVITZKY_GOLAY_WINDOW, SAVITZKY_GOLAY_ORDER, axis=0))
    return rows
