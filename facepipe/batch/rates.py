"""The rates of the runs in a work folder, read from their journals."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facepipe.batch.pace import Pace
from facepipe.engine.claim import is_process_dead

RECENT_ITEMS = 200
"""The rate of a live run is that of its last items."""
SILENT_SECONDS = 600.0
"""A run on a machine that cannot be checked counts as alive for this long after its last line."""


@dataclass
class _Run:
    """The facts of a run that its rate is computed from. Times are Unix times."""

    workers: int = 0
    began: float = 0.0
    ended: float | None = None
    items: int = 0
    last: float = 0.0
    recent: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT_ITEMS))

    def of_live_workers(self, workers: int) -> float:
        """Return the rate of this number of workers."""
        pace = Pace()
        for record in self.recent:
            pace.add(record)
        return pace.items_per_second(workers) or 0.0

    def from_begin_to_end(self) -> float:
        """Return the rate of a run that has ended, the start of its workers and the loading of networks included."""
        seconds = (self.last if self.ended is None else self.ended) - self.began
        return self.items / seconds if self.began and seconds > 0 else 0.0


@dataclass
class Rates:
    """The runs of a work folder and their worker processes."""

    runs: dict[str, _Run] = field(default_factory=dict)
    workers: dict[str, set[str]] = field(default_factory=dict)
    """The tokens of the worker processes by run."""

    def begin_process(self, value: Mapping[str, Any]) -> None:
        """Take the first line of a journal."""
        if value.get("role") == "worker":
            self.workers.setdefault(str(value.get("run", "")), set()).add(str(value.get("token", "")))

    def take_run(self, run: str, value: Mapping[str, Any]) -> None:
        """Take the begin or the end of a run."""
        known = self.runs.setdefault(run, _Run())
        if value.get("ended"):
            known.ended = float(value.get("time", 0.0))
        else:
            known.began, known.workers = float(value.get("time", 0.0)), int(value.get("workers", 1))

    def end_item(self, run: str, value: Mapping[str, Any]) -> None:
        """Take the record of an item that was made or failed."""
        known, now = self.runs.setdefault(run, _Run()), float(value.get("time", 0.0))
        known.items, known.last = known.items + 1, max(known.last, now)
        if "seconds" in value:  # it was begun
            known.recent.append({name: value[name] for name in ("busy", "warm", "seconds") if name in value})

    def items_per_second(self) -> float:
        """Return the rate of all live runs; if there is none, that of the last run; 0 if it is not known."""
        live = {run: count for run in self.runs if (count := self._live_workers(run))}
        if live:
            return sum(self.runs[run].of_live_workers(count) for run, count in live.items())
        newest = max(self.runs.values(), key=lambda run: run.began, default=None)
        return newest.from_begin_to_end() if newest else 0.0

    def _live_workers(self, run: str) -> int:
        """Return the number of a run's live workers; of another machine all count while it writes lines."""
        known = self.runs[run]
        if known.ended is not None:
            return 0
        dead = [is_process_dead(token) for token in self.workers.get(run, ())]
        alive = dead.count(False)
        if None in dead and time.time() - known.last < SILENT_SECONDS:
            alive += dead.count(None)
        return min(alive, known.workers) if known.workers else alive
