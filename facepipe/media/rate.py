"""Detection of a video's frame rate from its frame times."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

_NAMED_RATES = tuple(Fraction(n) for n in (5, 8, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)) + tuple(
    Fraction(n, 1001) for n in (12000, 15000, 24000, 30000, 48000, 60000, 120000)
)
_MAX_RESAMPLED_RATE = Fraction(60)
_RATE_OF_ONE_FRAME = Fraction(25)
MAX_RATE = Fraction(1000)
"""The highest rate of a clip as it is decoded; a faster one is resampled to it."""
MAX_RECORDED_RATE = 100_000.0
"""The highest rate in a file that can be true."""


@dataclass(frozen=True)
class Rate:
    """The frame rate of a clip."""

    fps: Fraction
    """Frames per second: exact for a constant rate, else the constant rate to resample to."""

    frame_count: int
    """Number of frames at `fps`."""

    start_ticks: int
    """Time of the first frame, in ticks of the time base."""

    variable: bool
    """True if frame times deviate from a constant rate by more than half a frame."""

    recorded_fps: float = 0.0
    """The mean rate in the file if it is above `MAX_RATE`, to which the clip is resampled; else 0."""


def find_rate(times: Sequence[int], last_duration: int, time_base: Fraction, declared_fps: float = 0.0) -> Rate:
    """Return the rate of frames displayed at `times`, in ticks of `time_base` seconds, in any order, at least one.

    `last_duration` is the duration of the last frame in ticks, 0 if unknown. `declared_fps` is the rounded rate in the
    container; it only decides between fractions that fit the times equally well. A clip with a higher mean rate than
    `MAX_RATE` is resampled to that.
    """
    ticks = np.unique(np.asarray(times, dtype=np.int64))
    start = int(ticks[0])
    if len(ticks) == 1:
        fps = _snap(Fraction(1) / (last_duration * time_base)) if last_duration > 0 else _RATE_OF_ONE_FRAME
        return Rate(fps if fps <= MAX_RATE else _RATE_OF_ONE_FRAME, 1, start, variable=False)
    mean = (len(ticks) - 1) / (int(ticks[-1] - start) * time_base)
    if mean > MAX_RATE * Fraction(1001, 1000):
        count = round(len(ticks) * MAX_RATE / mean)
        return Rate(MAX_RATE, count, start, variable=False, recorded_fps=float(mean))
    return _rate_of_several(ticks, last_duration, time_base, declared_fps)


def _rate_of_several(ticks: np.ndarray, last_duration: int, time_base: Fraction, declared_fps: float) -> Rate:
    start = int(ticks[0])
    mean = (len(ticks) - 1) / (int(ticks[-1] - start) * time_base)
    if _max_deviation(ticks, mean * time_base) <= 1.0:
        return Rate(_exact(ticks, time_base, declared_fps), len(ticks), start, variable=False)
    usual = _snap(Fraction(1) / (max(int(np.median(np.diff(ticks))), 1) * time_base))
    for fps in (_snap(mean), usual):
        if _max_deviation(ticks, fps * time_base) * float(fps * time_base) <= 0.5:
            return Rate(fps, len(ticks), start, variable=False)
    fps = min(usual, _MAX_RESAMPLED_RATE)
    span = (int(ticks[-1] - start) + max(last_duration, 1)) * time_base
    return Rate(fps, max(round(span * fps), 1), start, variable=True)


def _max_deviation(ticks: np.ndarray, frames_per_tick: Fraction) -> float:
    """Return the largest deviation, in ticks, of the frames from an even grid that starts with the first one."""
    grid = np.arange(len(ticks)) / float(frames_per_tick)
    return float(np.abs(ticks - ticks[0] - grid).max())


def _exact(ticks: np.ndarray, time_base: Fraction, declared_fps: float) -> Fraction:
    """Return the exact rate of an even grid whose times were rounded to whole ticks."""
    intervals, span = len(ticks) - 1, int(ticks[-1] - ticks[0])
    if span % intervals == 0 and np.all(np.diff(ticks) == span // intervals) and time_base < Fraction(1, 2000):
        return _snap(intervals / (span * time_base), tolerance=1e-9)
    lowest, highest = intervals / ((span + 1) * time_base), intervals / (max(span - 1, 1) * time_base)
    fitting = [rate for rate in _NAMED_RATES if lowest <= rate <= highest]
    if fitting:
        aim = declared_fps or float(intervals / (span * time_base))
        return min(fitting, key=lambda rate: abs(float(rate) - aim))
    return _simplest_between(lowest, highest)


def _snap(rate: Fraction, tolerance: float = 0.02) -> Fraction:
    """Return the nearest named rate if within `tolerance` (relative), else `rate` with a limited denominator."""
    nearest = min(_NAMED_RATES, key=lambda named: abs(named - rate))
    if abs(nearest - rate) <= tolerance * rate:
        return nearest
    return rate if rate.denominator <= 100_000 else rate.limit_denominator(1001)


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction in [low, high] with the smallest denominator, by a Stern-Brocot search."""
    whole = low.numerator // low.denominator
    if whole == low or whole + 1 <= high:
        return Fraction(whole if whole == low else whole + 1)
    rest = _simplest_between(1 / (high - whole), 1 / (low - whole))
    return whole + 1 / rest
