"""Measured metrics, their spread, and their thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from os import times
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Threshold:
    """The value that a metric should reach. It is reported; nothing fails if a metric does not reach it."""

    at: float
    kind: Literal["at least", "at most"]

    def met(self, value: float) -> bool:
        """Return whether a value reaches the threshold."""
        return value >= self.at if self.kind == "at least" else value <= self.at


@dataclass(frozen=True)
class Metric:
    """One line of the table."""

    name: str
    unit: str
    """"frames/s", "s" or "GB"."""
    values: tuple[float, ...]
    """One per repeat."""
    threshold: Threshold | None = None
    cpu_seconds: float | None = None
    """Processor time of one repeat (the median), child processes included."""

    @property
    def median(self) -> float:
        """The median of the repeats, which is compared with the threshold."""
        return median(self.values)

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        content: dict[str, object] = {
            "schema": 2,
            "metric": self.name,
            "unit": self.unit,
            "median": round(self.median, 4),
            "values": [round(value, 4) for value in self.values],
            "cpu_seconds": None if self.cpu_seconds is None else round(self.cpu_seconds, 3),
        }
        if self.threshold:
            met = self.threshold.met(self.median)
            content |= {"threshold": self.threshold.at, "threshold_kind": self.threshold.kind, "met": met}
        return content


@dataclass(frozen=True)
class Spent:
    """The time that an action took."""

    seconds: float
    cpu_seconds: float
    """Of this process and of the child processes that ended in the meantime."""


def spent_by(action: Callable[[], object]) -> Spent:
    """Run an action and return the time that it took."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    action()
    return Spent(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    return sum(times()[:4])


def rate(name: str, frames: int, spent: list[Spent], threshold: Threshold | None = None) -> Metric:
    """Return a metric in frames per second."""
    values = tuple(frames / one.seconds for one in spent)
    return Metric(name, "frames/s", values, threshold, median(one.cpu_seconds for one in spent))


def duration(name: str, spent: list[Spent], threshold: Threshold | None = None) -> Metric:
    """Return a metric in seconds."""
    return Metric(name, "s", tuple(one.seconds for one in spent), threshold, median(one.cpu_seconds for one in spent))
