"""The rate of a batch, computed from the time that each worker spent on its items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Pace:
    """The mean time of an item. Loading a network is not part of it, nor is the start of a worker.

    A worker records for each item the seconds since its previous one ended, without those in which it loaded networks
    ("busy"), and whether it had ended an item before ("warm"). The first item of a worker also imports and compiles, so
    it counts only until there are as many others as workers.
    """

    cold_items: int = 0
    cold_seconds: float = 0.0
    warm_items: int = 0
    warm_seconds: float = 0.0

    def add(self, record: Mapping[str, Any]) -> None:
        """Add the record of an item that ended. Records of older versions have only "seconds"."""
        busy = max(0.0, float(record.get("busy", record.get("seconds", 0.0))))
        if record.get("warm", "busy" not in record):
            self.warm_items, self.warm_seconds = self.warm_items + 1, self.warm_seconds + busy
        else:
            self.cold_items, self.cold_seconds = self.cold_items + 1, self.cold_seconds + busy

    def seconds_per_item(self, workers: int) -> float | None:
        """Return the mean time for which an item occupies one of the workers; None before the first has ended."""
        items, seconds = self.warm_items, self.warm_seconds
        if items < workers:
            items, seconds = items + self.cold_items, seconds + self.cold_seconds
        return seconds / items if items and seconds else None

    def items_per_second(self, workers: int) -> float | None:
        """Return the rate of that number of workers; None before the first item has ended."""
        each = self.seconds_per_item(workers)
        return max(1, workers) / each if each else None
