"""Reading the state of batches from the journals in a work folder, also while they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.batch.item import item_of
from facepipe.batch.listed import read_lists
from facepipe.batch.overview import Failure, Noted, Overview, StageTotal, Success
from facepipe.batch.rates import Rates
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

TRACE_POINTS = 2000
"""Number of points in the progress plot; every second point is dropped when there are twice as many."""


@dataclass
class _Reading:
    """The state while the journals are read from beginning to end."""

    overview: Overview
    ids: frozenset[bytes] | None
    """The items that count; None for all."""
    entries: dict[str, Entry] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
    """Items that do not count."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Tokens of the worker processes that wrote the journals."""
    writers: dict[str, str] = field(default_factory=dict)
    """The journal of each item that was begun and has not ended."""
    ends: list[tuple[float, str]] = field(default_factory=list)
    stride: int = 1
    seen: int = 0
    rates: Rates = field(default_factory=Rates)
    successes: list[Success] | None = None
    noted: dict[str, list[Noted]] | None = None

    def take(self, key: str, value: Any, journal: str) -> None:
        """Process one line of a journal."""
        if key == PROCESS:
            self.tokens[journal] = str(value.get("token", "")) if value.get("role") == "worker" else ""
            self.rates.begin_process(value)
        elif key.startswith(RUN):
            self.rates.take_run(key.removeprefix(RUN), value)
            if "jobs" in value and self.ids is None:
                self._take_list(value)
        elif self.ids is None or bytes.fromhex(key) in self.ids:
            self._take_item(key, value, journal)
        else:
            self.apart.add(key)
            if value["state"] in (DONE, FAILED):
                self.rates.end_item(entry_of(value).run, value)

    def _take_list(self, run: Mapping[str, Any]) -> None:
        """Remember the newest run of a list. Journals are read in the order of their names, not of their times."""
        old = self.overview.lists.get(run["jobs"], {})
        if run.get("time", 0.0) >= old.get("time", 0.0):
            self.overview.lists[run["jobs"]] = run

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
        if self.noted is not None:
            label = str(value.get("label", ""))
            self.noted[key] = [Noted(key, label, entry.state, one) for one in remarks_in(value)]
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
        self.rates.end_item(entry.run, value)
        self._remember(time_, entry.state)

    def _remember(self, time_: float, state: str) -> None:
        self.seen += 1
        if self.seen % self.stride == 0:
            self.ends.append((time_, state))
        if len(self.ends) > 2 * TRACE_POINTS:
            self.ends, self.stride = self.ends[::2], 2 * self.stride

    def finish(self) -> None:
        """Compute the values that need all lines."""
        overview = self.overview
        overview.states = Counter(entry.state for entry in self.entries.values())
        overview.dropped_from_lists = len(self.apart)
        alive = {journal: is_process_dead(token) is not True for journal, token in self.tokens.items() if token}
        overview.running = sum(alive.get(journal, False) for journal in self.writers.values())
        overview.interrupted = len(self.writers) - overview.running + overview.states[DROPPED]
        overview.workers = sum(is_process_dead(token) is False for token in self.tokens.values() if token)
        overview.ends = sorted(self.ends)
        overview.items_per_second = self.rates.items_per_second()
        newest = max(overview.lists.values(), key=lambda run: float(run.get("time", 0.0)), default={})
        overview.folder = str(newest.get("folder", ""))
        overview.remarks = [one for found in (self.noted or {}).values() for one in found]


def read_overview(work: Path, *, successes: list[Success] | None = None, notes: bool = False) -> Overview:
    """Return the state of the batches in a work folder. Only items of the newest version of each list count.

    Finished items are appended to `successes`, if given; with `notes` the overview holds all remarks.
    """
    listed = list(read_lists(BatchPaths(work).lists))
    ids = frozenset[bytes]().union(*(one.ids for one in listed)) if listed else None
    overview = Overview(work, lists={str(one.run["jobs"]): one.run for one in listed})
    overview.listed = None if ids is None else len(ids)
    reading = _Reading(overview, ids, successes=successes, noted={} if notes else None)
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
