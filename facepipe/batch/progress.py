"""The progress of a batch: counts of the items that ended, and the events that report them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from facepipe.batch.plan import Checked
from facepipe.engine.events import Batch, Event, Failed, Sink
from facepipe.engine.item_log import DONE, FAILED, Entry

REPORT_SECONDS = 1.0


class BatchProgress:
    """Counts the items of a run as they end, and reports the counts every second."""

    def __init__(self, events: Sink) -> None:
        self.events = events
        self.lock = threading.Lock()
        self.made = self.failed = self.done_before = self.total = self.wanted = self.entries = 0
        self.max_failures = math.inf
        self.disk_in_a_row = 0
        self._failed: dict[str, str] = {}
        self._made: set[int] = set()
        self._started = time.monotonic()

    @property
    def ended(self) -> int:
        """Items made or failed in this run."""
        return self.made + self.failed

    def begin(self, checked: Checked, max_failures: float) -> None:
        """Set the totals and start the clock; the batch stops at `max_failures` failures."""
        self.total, self.wanted, self.done_before = checked.mine, checked.wanted, checked.done
        self.max_failures = max_failures
        self._started = time.monotonic()

    def count(self, name: str, entry: Entry, retries: int) -> bool:
        """Count an entry of this run. Returns True for a final failure."""
        self.entries += 1
        final = False
        if entry.state == DONE:
            self._failed.pop(name, None)
            if hash(name) not in self._made:
                self._made.add(hash(name))
                self.made += 1
            self.disk_in_a_row = 0
        elif entry.state == FAILED:
            self.disk_in_a_row = self.disk_in_a_row + 1 if entry.kind == "disk" else 0
            final = entry.permanent or entry.tries > retries
            if final:
                self._failed[name] = entry.kind
        self.failed = len(self._failed)
        return final

    def event(self) -> Event:
        """Return the counts as an event."""
        seconds = time.monotonic() - self._started
        return Batch(
            items=self.total,
            done=self.done_before + self.made,
            made=self.made,
            failed=self.failed,
            left=max(0, self.wanted - self.made - self.failed),
            seconds=round(seconds, 3),
        )

    @contextmanager
    def ticking(self, look: Callable[[], None]) -> Iterator[None]:
        """Call `look` and send the counts every second from a thread, and the counts once more at the end."""
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(REPORT_SECONDS):
                look()
                self.events(self.event())

        thread = threading.Thread(target=tick, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.events(self.event())


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
