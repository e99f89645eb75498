"""How the batches of a work folder stand, read from the folder alone, also while they run."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.batch.item import Item, item_of
from facepipe.engine.claim import is_process_dead
from facepipe.engine.ledger import BEGUN, DONE, DROPPED, FAILED, PROCESS, RUN, Entry, LedgerReader, entry_of, supersedes
from facepipe.engine.places import Places

RATE_SECONDS = 300.0
"""The rate is that of the last minutes."""
TRACE_POINTS = 2000
"""So many ends of items are remembered for the plot of the progress; more are thinned out."""


@dataclass
class Moments:
    """Count, mean, spread and bounds of a figure; those of two journals merge into those of both."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared distances from the mean."""
    least: float = math.inf
    most: float = -math.inf

    def add(self, value: float) -> None:
        """Take a value in (Welford's way)."""
        self.merge(Moments(1, value, 0.0, value, value))

    def merge(self, other: Moments) -> None:
        """Take in what another has seen (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        if not count:
            return
        apart = other.mean - self.mean
        self.squares += other.squares + apart * apart * self.count * other.count / count
        self.mean += apart * other.count / count
        self.count, self.least, self.most = count, min(self.least, other.least), max(self.most, other.most)

    @property
    def spread(self) -> float:
        """Return the standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @property
    def sum(self) -> float:
        """Return the sum."""
        return self.mean * self.count


@dataclass
class StageTotal:
    """What a stage took over all items."""

    made: int = 0
    kept: int = 0
    frames: int = 0
    seconds: Moments = field(default_factory=Moments)
    """Of those items for which it ran."""


@dataclass(frozen=True)
class Failure:
    """An item whose last try failed."""

    id: str
    label: str
    stage: str
    kind: str
    permanent: bool
    message: str
    detail: str
    attempts: int
    time: float
    item: Item | None
    seconds: float = 0.0


@dataclass(frozen=True)
class Success:
    """An item that is done."""

    id: str
    label: str
    out: str
    seconds: float
    frames: int
    lost: int
    bytes: int
    time: float


@dataclass
class Overview:
    """The state of all items that a work folder knows."""

    work: Path
    folder: str = ""
    """From where the last run took the paths of items."""
    states: Counter[str] = field(default_factory=Counter)
    """Items by state: done, failed, begun, dropped."""
    lists: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The last run over each list of jobs."""
    running: int = 0
    """Items that live processes are at."""
    broken_off: int = 0
    workers: int = 0
    """Live processes that make items, as far as they can be asked."""
    failures: dict[str, Failure] = field(default_factory=dict)
    stages: dict[str, StageTotal] = field(default_factory=dict)
    seconds: Moments = field(default_factory=Moments)
    frames: int = 0
    lost: int = 0
    """Frames in which no face was found, and the items that have such."""
    items_with_lost: int = 0
    bytes: int = 0
    ends: list[tuple[float, str]] = field(default_factory=list)
    """Times and states of items that ended, thinned out."""
    recent: int = 0
    recent_seconds: float = 0.0

    @property
    def done(self) -> int:
        """Return how many items are done."""
        return self.states[DONE]

    @property
    def failed(self) -> int:
        """Return how many items failed at their last try."""
        return self.states[FAILED]

    @property
    def total(self) -> int:
        """Return how many items there are, over all lists."""
        known = sum(self.states.values())
        return max(known, sum(int(run.get("items", 0)) for name, run in self.lists.items() if name != "retry"))

    @property
    def waiting(self) -> int:
        """Return how many items are neither done nor failed nor being made."""
        return max(0, self.total - self.done - self.failed - self.running)

    @property
    def failure_classes(self) -> Counter[str]:
        """Return how many items failed, by class."""
        return Counter(one.kind for one in self.failures.values())

    @property
    def items_per_second(self) -> float:
        """Return the rate of the last minutes of work; 0 where nothing was made."""
        return self.recent / self.recent_seconds if self.recent_seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Return how long the rest will take, None where that cannot be told."""
        rate = self.items_per_second
        return (self.waiting + self.running) / rate if rate and self.workers else None

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints of the whole."""
        return {
            "schema": 1,
            "work": str(self.work),
            "items": self.total,
            "done": self.done,
            "failed": self.failed,
            "running": self.running,
            "broken_off": self.broken_off,
            "waiting": self.waiting,
            "workers": self.workers,
            "items_per_second": round(self.items_per_second, 4),
            "seconds_left": self.seconds_left,
            "failures": dict(self.failure_classes),
            "frames": self.frames,
            "frames_without_face": self.lost,
            "items_without_face_somewhere": self.items_with_lost,
            "bytes": self.bytes,
        }


@dataclass
class _Reading:
    """The journals, read once from front to back."""

    overview: Overview
    entries: dict[str, Entry] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Of the processes that wrote the journals."""
    writers: dict[str, str] = field(default_factory=dict)
    """Which journal an item that was begun stands in."""
    ends: list[tuple[float, str]] = field(default_factory=list)
    stride: int = 1
    seen: int = 0
    latest: list[float] = field(default_factory=list)
    successes: list[Success] | None = None

    def take(self, key: str, value: Any, journal: str) -> None:
        """Take a line in."""
        if key == PROCESS:
            self.tokens[journal] = str(value.get("token", "")) if value.get("role") == "worker" else ""
        elif key.startswith(RUN):
            if "jobs" in value:
                self.overview.lists[value["jobs"]] = value
                self.overview.folder = str(value.get("folder", ""))
        else:
            self._take_item(key, value, journal)

    def _take_item(self, key: str, value: Mapping[str, Any], journal: str) -> None:
        entry, old = entry_of(value), self.entries.get(key)
        if entry.state in (DONE, FAILED):
            self._work_done(value, entry)
        if not supersedes(entry, old):
            return
        self.entries[key] = entry
        self.overview.failures.pop(key, None)
        self.writers.pop(key, None)
        if entry.state == BEGUN:
            self.writers[key] = journal
        elif entry.state == FAILED:
            self.overview.failures[key] = _failure(key, value, entry)
        elif entry.state == DONE and self.successes is not None:
            self.successes.append(_success(key, value))

    def _work_done(self, value: Mapping[str, Any], entry: Entry) -> None:
        overview, seconds, time_ = self.overview, float(value.get("seconds", 0.0)), float(value.get("time", 0.0))
        overview.seconds.add(seconds)
        for name, (made, kept, took, frames) in value.get("stages", {}).items():
            total = overview.stages.setdefault(name, StageTotal())
            total.made, total.kept, total.frames = total.made + made, total.kept + kept, total.frames + frames
            if made:
                total.seconds.add(took)
        if entry.state == DONE:
            overview.frames += int(value.get("frames", 0))
            overview.lost += int(value.get("lost", 0))
            overview.items_with_lost += bool(value.get("lost", 0))
            overview.bytes += int(value.get("bytes", 0))
        self._remember(time_, entry.state)

    def _remember(self, time_: float, state: str) -> None:
        self.latest.append(time_)
        if len(self.latest) > 20_000:
            newest = max(self.latest)
            self.latest = [one for one in self.latest if newest - one <= RATE_SECONDS][-10_000:]
        self.seen += 1
        if self.seen % self.stride == 0:
            self.ends.append((time_, state))
        if len(self.ends) > 2 * TRACE_POINTS:
            self.ends, self.stride = self.ends[::2], 2 * self.stride

    def finish(self) -> None:
        """Add up what only the whole tells."""
        overview = self.overview
        overview.states = Counter(entry.state for entry in self.entries.values())
        alive = {journal: is_process_dead(token) is not True for journal, token in self.tokens.items() if token}
        overview.running = sum(alive.get(journal, False) for journal in self.writers.values())
        overview.broken_off = len(self.writers) - overview.running + overview.states[DROPPED]
        overview.workers = sum(is_process_dead(token) is False for token in self.tokens.values() if token)
        overview.ends = sorted(self.ends)
        if self.latest:
            newest = max(self.latest)
            recent = [one for one in self.latest if 0 <= newest - one <= RATE_SECONDS]
            overview.recent = len(recent) - 1
            idle = time.time() - newest if overview.workers else 0.0
            overview.recent_seconds = newest - min(recent) + max(0.0, min(idle, RATE_SECONDS))


def read_overview(work: Path, *, successes: list[Success] | None = None) -> Overview:
    """Return how the batches of a work folder stand. Where a list is given, items that are done are added to it."""
    reading = _Reading(Overview(work), successes=successes)
    for key, value, journal in LedgerReader(Places(work).journal).news():
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            reading.take(key, value, journal)
    reading.finish()
    return reading.overview


def has_batch(work: Path) -> bool:
    """Tell whether a batch ever ran in a work folder."""
    return Places(work).journal.is_dir()


def _failure(key: str, value: Mapping[str, Any], entry: Entry) -> Failure:
    item = None
    with suppress(KeyError, TypeError):
        item = item_of(value["item"])
    return Failure(
        key,
        str(value.get("label", "")),
        str(value.get("stage", "")),
        entry.kind,
        entry.permanent,
        str(value.get("message", "")),
        str(value.get("detail", "")),
        entry.number,
        float(value.get("time", 0.0)),
        item,
        float(value.get("seconds", 0.0)),
    )


def _success(key: str, value: Mapping[str, Any]) -> Success:
    return Success(
        key,
        str(value.get("label", "")),
        str(value.get("out", "")),
        float(value.get("seconds", 0.0)),
        int(value.get("frames", 0)),
        int(value.get("lost", 0)),
        int(value.get("bytes", 0)),
        float(value.get("time", 0.0)),
    )
