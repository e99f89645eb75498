"""Reading the state of batches from the journals in a work folder, also while they run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.batch.item import item_of
from facepipe.batch.overview import Failure, Overview, StageTotal, Success
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import is_process_dead
from facepipe.engine.item_log import (
    BEGUN,
    DONE,
    DROPPED,
    FAILED,
    PROCESS,
    RUN,
    Entry,
    ItemLogReader,
    entry_of,
    supersedes,
)
from facepipe.engine.remark import remarks_in

RATE_SECONDS = 300.0
"""The time over which the rate is measured."""
TRACE_POINTS = 2000
"""Number of points in the progress plot; every second point is dropped when there are twice as many."""


@dataclass
class _Reading:
    """The state while the journals are read from beginning to end."""

    overview: Overview
    entries: dict[str, Entry] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Tokens of the processes that wrote the journals."""
    writers: dict[str, str] = field(default_factory=dict)
    """The journal of each item that was begun and has not ended."""
    ends: list[tuple[float, str]] = field(default_factory=list)
    stride: int = 1
    seen: int = 0
    latest: list[float] = field(default_factory=list)
    successes: list[Success] | None = None

    def take(self, key: str, value: Any, journal: str) -> None:
        """Process one line of a journal."""
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
        self.overview.remarked.pop(key, None)
        if codes := frozenset(one.code for one in remarks_in(value)):
            self.overview.remarked[key] = codes
        if entry.state == BEGUN:
            self.writers[key] = journal
        elif entry.state == FAILED:
            self.overview.failures[key] = _failure(key, value, entry)
        elif entry.state == DONE and self.successes is not None:
            self.successes.append(_success(key, value))

    def _work_done(self, value: Mapping[str, Any], entry: Entry) -> None:
        overview, seconds, time_ = self.overview, float(value.get("seconds", 0.0)), float(value.get("time", 0.0))
        overview.seconds.add(seconds)
        for name, (made, skipped, took, frames) in value.get("stages", {}).items():
            total = overview.stages.setdefault(name, StageTotal())
            total.made, total.skipped = total.made + made, total.skipped + skipped
            total.frames += frames
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
        """Compute the values that need all lines."""
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
    """Return the state of the batches in a work folder. Finished items are appended to `successes`, if given."""
    reading = _Reading(Overview(work), successes=successes)
    for key, value, journal in ItemLogReader(BatchPaths(work).journal).news():
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            reading.take(key, value, journal)
    reading.finish()
    return reading.overview


def has_batch(work: Path) -> bool:
    """Return whether a batch was ever run in a work folder."""
    return BatchPaths(work).journal.is_dir()


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
        remarks_in(value),
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
        remarks_in(value),
    )
