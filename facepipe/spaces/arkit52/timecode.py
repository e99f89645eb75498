"""Time codes of takes, HH:MM:SS:FF.mmm: FF counts frames within the second, and .mmm is a part of a frame.

A time code does not name its rate. That of the counter follows from the largest FF before a second ends; that of the
rows from their distances.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark

FORM = "HH:MM:SS:FF.mmm"
_PATTERN = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}):(\d{1,3}(?:\.\d+)?)")
COUNTERS = (24, 25, 30, 48, 50, 60, 100, 120, 240)
RATES = tuple(sorted([*map(Fraction, COUNTERS), *(Fraction(1000 * nominal, 1001) for nominal in (24, 30, 60, 120))]))
# The app records at 60 frames per second unless it is set otherwise.
USUAL = 60
DAY_SECONDS = 24 * 3600
# Rows are evenly spaced if no distance differs from the median by more than this part of it, and a rate is a standard
# one if it differs by less than the second: time codes are rounded to thousandths of a frame.
EVEN, NEAR = 0.25, 0.004


class Clock(NamedTuple):
    """When the rows of a take were recorded."""

    seconds: NDArray[np.float64]
    """(T,), from the first row on, ascending."""
    fps: Fraction
    even: bool
    """Whether the rows are `1 / fps` apart."""
    remarks: tuple[Remark, ...]


def write_timecode(frame: int, fps: Fraction) -> str:
    """Return the time code of a frame from 0; the counter's rate is `fps` rounded to a whole number."""
    nominal = max(1, round(fps))
    whole, part = divmod(frame / fps, 1)
    thousandths = round(part * nominal * 1000)
    if thousandths == nominal * 1000:
        whole, thousandths = whole + 1, 0
    hours, seconds = divmod(int(whole), 3600)
    frames, rest = divmod(thousandths, 1000)
    return f"{hours % 24:02}:{seconds // 60:02}:{seconds % 60:02}:{frames:02}.{rest:03}"


def read_timecodes(texts: Sequence[str]) -> Clock:
    """Return the clock of the time codes of a take. Raises ValueError for another form, and unless they ascend."""
    places = np.array([_parts(number, text) for number, text in enumerate(texts)])
    seconds, frames = places[:, 0], places[:, 1]
    nominal, remarks = _counter(seconds, frames)
    times = seconds + frames / nominal
    times += DAY_SECONDS * np.cumsum(np.diff(times, prepend=times[0]) < -DAY_SECONDS / 2)
    steps = np.diff(times)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        raise ValueError(f"time code {texts[row]} of row {row + 1} is not later than {texts[row - 1]} before it")
    if not len(steps):
        return Clock(times - times[0], Fraction(nominal), True, tuple(remarks))
    median = float(np.median(steps))
    even = bool((np.abs(steps - median) <= EVEN * median).all())
    fps = _rate(1 / (float(steps.mean()) if even else median))
    return Clock(times - times[0], fps, even, tuple(remarks))


def _parts(number: int, text: str) -> tuple[float, float]:
    """Return whole seconds and frames of a time code."""
    found = _PATTERN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"time code {text!r} of row {number + 1} is not of the form {FORM}")
    hours, minutes, seconds = (int(part) for part in found.groups()[:3])
    return 3600.0 * hours + 60 * minutes + seconds, float(found.group(4))


def _counter(seconds: NDArray[np.float64], frames: NDArray[np.float64]) -> tuple[int, list[Remark]]:
    """Return the rate of the counter, with a remark if it had to be guessed."""
    largest = int(frames.max()) + 1
    if largest > COUNTERS[-1]:
        raise ValueError(f"a time code has frame {largest - 1} of a second, expected at most {COUNTERS[-1] - 1}")
    nominal = next(rate for rate in COUNTERS if rate >= largest)
    if len(np.unique(seconds)) > 1:
        return nominal, []
    guessed = max(nominal, USUAL)
    text = f"the take ends before its counter of frames starts again, so its rate is taken for {guessed} per second"
    return guessed, [Remark("rate-guessed", text)] if len(frames) > 1 else []


def _rate(measured: float) -> Fraction:
    nearest = min(RATES, key=lambda rate: abs(float(rate) - measured))
    return nearest if abs(float(nearest) - measured) < NEAR * measured else Fraction(round(measured * 1000), 1000)
