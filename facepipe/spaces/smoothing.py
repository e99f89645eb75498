"""Smoothing of coefficients over time, and the measure of jitter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.gaps import filled, short_gap, spans

Floats = NDArray[np.floating]
Smoothing = Literal["none", "one-euro", "savitzky-golay"]

# One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): the cut-off rises with speed, so that slow motion is smooth and
# fast motion does not lag. Speeds are in units of the signal per second.
ONE_EURO_CUTOFF_HZ, ONE_EURO_BETA, ONE_EURO_SPEED_CUTOFF_HZ = 2.0, 1.5, 1.0


def jitter(rows: Floats, runs: Sequence[slice] = (slice(None),)) -> float:
    """Return the jitter of (T, K) rows: the root mean square of their second differences; 0 for fewer than 3 rows.

    Only rows of the same run are compared.
    """
    second = [np.diff(rows[run], n=2, axis=0) for run in runs if len(rows[run]) > 2]
    return float(np.sqrt(np.mean(np.concatenate(second) ** 2))) if second else 0.0


def one_euro(rows: Floats, fps: float) -> Floats:
    """Filter (T, K) rows forwards in time with the One-Euro filter."""
    if len(rows) == 0:
        return rows
    result, speed = np.empty_like(rows), np.zeros(rows.shape[1])
    result[0] = rows[0]
    for index in range(1, len(rows)):
        speed = speed + _gain(ONE_EURO_SPEED_CUTOFF_HZ, fps) * ((rows[index] - result[index - 1]) * fps - speed)
        cutoff = ONE_EURO_CUTOFF_HZ + ONE_EURO_BETA * np.abs(speed)
        result[index] = result[index - 1] + _gain(cutoff, fps) * (rows[index] - result[index - 1])
    return result


def _gain(cutoff_hz: float | Floats, fps: float) -> float | Floats:
    return 1 / (1 + fps / (2 * np.pi * cutoff_hz))


def savitzky_golay(rows: Floats, window: int) -> Floats:
    """Fit a parabola to each window of (T, K) rows and return its middle value; at the ends, its values at all rows.

    `window` is an odd number of rows.
    """
    # Equivalent to scipy's savgol_filter, whose import takes most of a second of every reenactment.
    window = min(window, len(rows) - (len(rows) + 1) % 2)
    if window <= 3:  # A parabola passes through any three points.
        return rows
    powers = np.vander(np.arange(window) - window // 2, 3)
    smoother = powers @ np.linalg.pinv(powers)
    middle = np.lib.stride_tricks.sliding_window_view(rows, window, axis=0) @ smoother[window // 2]
    head, tail = smoother[: window // 2] @ rows[:window], smoother[window // 2 + 1 :] @ rows[-window:]
    return np.concatenate([head, middle, tail])


def smooth(rows: Floats, method: Smoothing, fps: float, seconds: float) -> Floats:
    """Smooth (T, K) rows with the given method. `seconds` is the window length of savitzky-golay."""
    if method == "one-euro":
        return one_euro(rows, fps)
    if method == "savitzky-golay":
        return savitzky_golay(rows, 2 * round((fps * seconds - 1) / 2) + 1)
    return rows


def smoothed(raw: Coefficients, method: Smoothing) -> Coefficients:
    """Return coefficients with every motion array smoothed over its own window (`MotionSpace.smoothing_seconds`).

    Nothing is smoothed across a cut or a gap without a face, and gaps are filled (`facepipe.spaces.gaps.filled`).
    """
    # Angles do not wrap around between frames, because a tracked head stays within a quarter turn.
    whole = filled(raw)
    rows: dict[str, Any] = {name: np.array(getattr(whole, name)) for name in raw.space.motion}
    for span in spans(raw.valid, raw.shot, short_gap(float(raw.fps))):
        for name, seconds in raw.space.smoothing_seconds.items():
            whole_rows = rows[name][span]
            flat = smooth(whole_rows.reshape(len(whole_rows), -1), method, float(raw.fps), seconds)
            rows[name][span] = flat.reshape(whole_rows.shape)
    return filled(replace(whole, **rows))
