"""The progress of a batch: counts of the items that ended, and the events that report them."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from facepipe.batch.pace import Pace
from facepipe.batch.plan import Checked
from facepipe.engine.events import Batch, Event, Failed, ItemDone, Remarked, Sink
from facepipe.engine.item_log import DONE, FAILED, Entry
from facepipe.engine.remark import remarks_in

REPORT_SECONDS = 1.0


class BatchProgress:
    """Counts the items of a run as they end, and reports the counts every second."""

    def __init__(self, events: Sink, workers: int) -> None:
        self.events = events
        self.workers = workers
        self.lock = threading.Lock()
        self.made = self.failed = self.done_before = self.total = self.to_make = self.entries = 0
        self.max_failures = math.inf
        self.disk_in_a_row = 0
        self.remarks = Counter[str]()
        """Number of items that ended in this run by code of a remark."""
        self._pace = Pace()
        self._failed: dict[str, str] = {}
        self._made: set[int] = set()
        self._started = self._last_end = time.monotonic()

    @property
    def ended(self) -> int:
        """Items made or failed in this run."""
        return self.made + self.failed

    def begin(self, checked: Checked, max_failures: float) -> None:
        """Set the totals and start the clock; the batch stops at `max_failures` failures."""
        self.total, self.to_make, self.done_before = checked.mine, checked.wanted, checked.done
        self.max_failures = max_failures
        self._started = self._last_end = time.monotonic()

    def count(self, name: str, entry: Entry, record: Mapping[str, Any], retries: int) -> None:
        """Count an entry of this run and report an item that ended."""
        self.entries += 1
        if entry.state == FAILED:
            self.disk_in_a_row = self.disk_in_a_row + 1 if entry.kind == "disk" else 0
            if entry.permanent or entry.tries > retries:
                self._failed[name] = entry.kind
                self._report(failed_event(record), record)
        elif entry.state == DONE:
            self._failed.pop(name, None)
            self.disk_in_a_row = 0
            if hash(name) not in self._made:
                self._made.add(hash(name))
                self.made += 1
                self._report(done_event(name, record), record)
        self.failed = len(self._failed)

    def _report(self, event: Event, record: Mapping[str, Any]) -> None:
        if "seconds" in record:  # not an item that was refused before it was begun, or that killed its workers
            self._pace.add(record)
            self._last_end = time.monotonic()
        self.events(event)
        found = remarks_in(record)
        self.remarks.update({one.code for one in found})
        for one in found:
            self.events(Remarked(stage="", label=str(record.get("label", "")), code=one.code, message=one.text))

    def event(self) -> Event:
        """Return the counts as an event."""
        now, remaining = time.monotonic(), max(0, self.to_make - self.made - self.failed)
        workers = max(1, min(self.workers, remaining))
        rate = self._pace.items_per_second(workers)
        left = None if rate is None else remaining / rate - (now - self._last_end)
        return Batch(
            items=self.total,
            done=self.done_before + self.made,
            made=self.made,
            failed=self.failed,
            remaining=remaining,
            seconds=round(now - self._started, 3),
            items_per_second=rate and round(rate, 6),
            # An item that takes longer than the mean makes any estimate wrong, so there is none.
            seconds_left=round(left, 1) if left is not None and left > 0 else None,
        )

    @contextmanager
    def ticking(self, look: Callable[[], None]) -> Iterator[None]:
        """Send the counts, call `look` and send them again every second from a thread, and once more at the end."""
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(REPORT_SECONDS):
                look()
                self.events(self.event())

        self.events(self.event())
        thread = threading.Thread(target=tick, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.events(self.event())


def done_event(name: str, record: Mapping[str, Any]) -> ItemDone:
    """Return the event of an item that was made from its record."""
    return ItemDone(
        item=name,
        label=str(record.get("label", "")),
        output=str(record.get("out", "")),
        seconds=float(record.get("seconds", 0.0)),
    )


def failed_event(record: Mapping[str, Any]) -> Failed:
    """Return the event of a failed item from its record."""
    return Failed(
        stage=str(record.get("stage", "")),
        label=str(record.get("label", "")),
        failure_class=str(record.get("class", "bug")),
        permanent=bool(record.get("permanent", True)),
        message=str(record.get("message", "")),
        detail=str(record.get("detail", "")),
    )
