"""The rate of a video, found from the times of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

_NAMED_RATES = tuple(Fraction(n) for n in (5, 8, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)) + tuple(
    Fraction(n, 1001) for n in (12000, 15000, 24000, 30000, 48000, 60000, 120000)
)
_HIGHEST_RESAMPLED_RATE = Fraction(60)
_RATE_OF_ONE_FRAME = Fraction(25)


@dataclass(frozen=True)
class Rate:
    """How fast the frames of a clip follow each other."""

    fps: Fraction
    """Frames per second: exact for a constant rate, else the constant rate to resample to."""

    frame_count: int
    """Number of frames at `fps`."""

    start_ticks: int
    """Time of the first frame in units of the time base."""

    variable: bool
    """Whether the frames stray from a constant rate by more than half a frame."""


def find_rate(times: Sequence[int], last_duration: int, time_base: Fraction, declared_fps: float = 0.0) -> Rate:
    """Find the rate of frames shown at `times` (in units of `time_base` seconds, any order, at least one).

    `last_duration` is the time that the last frame stays, 0 if unknown. `declared_fps` is what the container says,
    rounded; it only decides between fractions that the times cannot tell apart.
    """
    shown = np.unique(np.asarray(times, dtype=np.int64))
    start = int(shown[0])
    if len(shown) == 1:
        fps = _snap(Fraction(1) / (last_duration * time_base)) if last_duration > 0 else _RATE_OF_ONE_FRAME
        return Rate(fps, 1, start, variable=False)
    mean = (len(shown) - 1) / (int(shown[-1] - start) * time_base)
    if _straying(shown, mean * time_base) <= 1.0:
        return Rate(_exact(shown, time_base, declared_fps), len(shown), start, variable=False)
    usual = _snap(Fraction(1) / (max(int(np.median(np.diff(shown))), 1) * time_base))
    for fps in (_snap(mean), usual):
        if _straying(shown, fps * time_base) * float(fps * time_base) <= 0.5:
            return Rate(fps, len(shown), start, variable=False)
    fps = min(usual, _HIGHEST_RESAMPLED_RATE)
    span = (int(shown[-1] - start) + max(last_duration, 1)) * time_base
    return Rate(fps, max(round(span * fps), 1), start, variable=True)


def _straying(shown: np.ndarray, frames_a_tick: Fraction) -> float:
    """Return by how many ticks at most the frames stray from an even grid that begins with the first."""
    grid = np.arange(len(shown)) / float(frames_a_tick)
    return float(np.abs(shown - shown[0] - grid).max())


def _exact(shown: np.ndarray, time_base: Fraction, declared_fps: float) -> Fraction:
    """Return the fraction behind an even grid whose times were rounded to whole ticks."""
    intervals, span = len(shown) - 1, int(shown[-1] - shown[0])
    if span % intervals == 0 and np.all(np.diff(shown) == span // intervals) and time_base < Fraction(1, 2000):
        return _snap(intervals / (span * time_base), tolerance=1e-9)
    lowest, highest = intervals / ((span + 1) * time_base), intervals / (max(span - 1, 1) * time_base)
    fitting = [rate for rate in _NAMED_RATES if lowest <= rate <= highest]
    if fitting:
        aim = declared_fps or float(intervals / (span * time_base))
        return min(fitting, key=lambda rate: abs(float(rate) - aim))
    return _simplest_between(lowest, highest)


def _snap(rate: Fraction, tolerance: float = 0.02) -> Fraction:
    """Return the named rate within `tolerance` (relative) of `rate`, else `rate` itself, kept simple."""
    nearest = min(_NAMED_RATES, key=lambda named: abs(named - rate))
    if abs(nearest - rate) <= tolerance * rate:
        return nearest
    return rate if rate.denominator <= 100_000 else rate.limit_denominator(1001)


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction of the smallest denominator in [low, high], by the Stern-Brocot walk."""
    whole = low.numerator // low.denominator
    if whole == low or whole + 1 <= high:
        return Fraction(whole if whole == low else whole + 1)
    rest = _simplest_between(1 / (high - whole), 1 / (low - whole))
    return whole + 1 / rest
