"""A measured figure, its spread, and the bar that it is held against."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from os import times
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Bar:
    """What a figure should reach; nothing fails where it does not."""

    at: float
    kind: Literal["at least", "at most"]

    def met(self, value: float) -> bool:
        """Tell whether a value reaches the bar."""
        return value >= self.at if self.kind == "at least" else value <= self.at


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    unit: str
    """"frames/s", "s" or "GB"."""
    values: tuple[float, ...]
    """One a repeat."""
    bar: Bar | None = None
    cpu_seconds: float | None = None
    """Processor time of one repeat (the median), children included."""

    @property
    def median(self) -> float:
        """The figure itself."""
        return median(self.values)

    def as_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        bar = {"bar": self.bar.at, "bar_kind": self.bar.kind, "met": self.bar.met(self.median)} if self.bar else {}
        return {
            "schema": 1,
            "figure": self.name,
            "unit": self.unit,
            "median": round(self.median, 4),
            "values": [round(value, 4) for value in self.values],
            "cpu_seconds": None if self.cpu_seconds is None else round(self.cpu_seconds, 3),
            **bar,
        }


@dataclass(frozen=True)
class Spent:
    """Time that something took."""

    seconds: float
    cpu_seconds: float
    """Of this process and of the children that ended meanwhile."""


def spent_by(action: Callable[[], object]) -> Spent:
    """Run something and return what it took."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    action()
    return Spent(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    return sum(times()[:4])


def rate(name: str, frames: int, spent: list[Spent], bar: Bar | None = None) -> Figure:
    """Return a figure in frames a second."""
    values = tuple(frames / one.seconds for one in spent)
    return Figure(name, "frames/s", values, bar, median(one.cpu_seconds for one in spent))


def duration(name: str, spent: list[Spent], bar: Bar | None = None) -> Figure:
    """Return a figure in seconds."""
    return Figure(name, "s", tuple(one.seconds for one in spent), bar, median(one.cpu_seconds for one in spent))
