"""Metrics of a benchmark: the measured values, and the thresholds they are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from os import times
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Threshold:
    """The target of a metric. A value that misses it is reported; it is not an error."""

    limit: float
    kind: Literal["at least", "at most"]

    def met(self, value: float) -> bool:
        """Return whether a value satisfies the threshold."""
        return value >= self.limit if self.kind == "at least" else value <= self.limit


@dataclass(frozen=True)
class Metric:
    """One row of the table."""

    name: str
    unit: str
    """For example "frames/s", "s" or "GB"."""
    values: tuple[float, ...]
    """One per repeat."""
    threshold: Threshold | None = None
    cpu_seconds: float | None = None
    """Processor time of one repeat (the median), child processes included."""

    @property
    def median(self) -> float:
        """The median of the values."""
        return median(self.values)

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        threshold: dict[str, object] = {}
        if self.threshold:
            threshold = {
                "threshold": self.threshold.limit,
                "threshold_kind": self.threshold.kind,
                "met": self.threshold.met(self.median),
            }
        return {
            "schema": 2,
            "metric": self.name,
            "unit": self.unit,
            "median": round(self.median, 4),
            "values": [round(value, 4) for value in self.values],
            "cpu_seconds": None if self.cpu_seconds is None else round(self.cpu_seconds, 3),
            **threshold,
        }


@dataclass(frozen=True)
class Timing:
    """Duration of a call."""

    seconds: float
    cpu_seconds: float
    """Processor time of this process and of the children that ended during the call."""


def time_call(action: Callable[[], object]) -> Timing:
    """Call a function and return its duration."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    action()
    return Timing(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    return sum(times()[:4])


def rate(name: str, frames: int, timings: list[Timing], threshold: Threshold | None = None) -> Metric:
    """Return the speed of processing `frames` frames, in frames per second."""
    values = tuple(frames / timing.seconds for timing in timings)
    return Metric(name, "frames/s", values, threshold, median(timing.cpu_seconds for timing in timings))


def duration(name: str, timings: list[Timing], threshold: Threshold | None = None) -> Metric:
    """Return a duration in seconds."""
    values = tuple(timing.seconds for timing in timings)
    return Metric(name, "s", values, threshold, median(timing.cpu_seconds for timing in timings))
