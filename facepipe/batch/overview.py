"""The state of all items of a work folder, over all of its batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.batch.item import Item
from facepipe.batch.moments import Moments
from facepipe.engine.item_log import DONE, FAILED
from facepipe.engine.remark import Remark


@dataclass
class StageTotal:
    """Totals of a stage over all items."""

    made: int = 0
    skipped: int = 0
    frames: int = 0
    seconds: Moments = field(default_factory=Moments)
    """Seconds per item, for items for which the stage ran."""


@dataclass(frozen=True)
class Failure:
    """An item that failed in its last try."""

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
    remarks: tuple[Remark, ...] = ()


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
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Noted:
    """A remark about an item."""

    id: str
    label: str
    state: str
    remark: Remark


@dataclass
class Overview:
    """The state of all items in a work folder."""

    work: Path
    folder: str = ""
    """The folder to which the paths of items are relative, from the last run."""
    states: Counter[str] = field(default_factory=Counter)
    """Items by state: done, failed, begun, dropped."""
    lists: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The last run over each list of jobs."""
    listed: int | None = None
    """Number of items in the newest versions of all lists; None in a work folder of an older version of facepipe."""
    dropped_from_lists: int = 0
    """Number of items that were taken out of a list, or whose list is of an older version. They count nowhere else."""
    running: int = 0
    """Items that live processes are making."""
    interrupted: int = 0
    workers: int = 0
    """Worker processes that are known to be alive."""
    failures: dict[str, Failure] = field(default_factory=dict)
    stages: dict[str, StageTotal] = field(default_factory=dict)
    seconds: Moments = field(default_factory=Moments)
    frames: int = 0
    lost: int = 0
    """Frames without a face."""
    items_with_lost: int = 0
    bytes: int = 0
    remarked: dict[str, frozenset[str]] = field(default_factory=dict)
    """By id of a done or failed item: the codes of the remarks about it. Items without remarks are left out."""
    ends: list[tuple[float, str]] = field(default_factory=list)
    """Times and states of a sample of the items that ended."""
    items_per_second: float = 0.0
    """The rate of the live runs, without the loading of networks; if none is alive, of the last run from its begin to
    its end; 0 if it is not known."""
    remarks: list[Noted] = field(default_factory=list)
    """The remarks about items, if they were asked for."""

    @property
    def done(self) -> int:
        """The number of finished items."""
        return self.states[DONE]

    @property
    def failed(self) -> int:
        """The number of items that failed in their last try."""
        return self.states[FAILED]

    @property
    def total(self) -> int:
        """The number of items of all lists."""
        if self.listed is not None:
            return self.listed
        known = sum(self.states.values())
        return max(known, sum(int(run.get("items", 0)) for name, run in self.lists.items() if name != "retry"))

    @property
    def waiting(self) -> int:
        """The number of items that are not done, failed or running."""
        return max(0, self.total - self.done - self.failed - self.running)

    @property
    def failure_classes(self) -> Counter[str]:
        """The number of failed items by class."""
        return Counter(one.kind for one in self.failures.values())

    @property
    def remark_codes(self) -> Counter[str]:
        """The number of items by code of a remark."""
        return Counter(code for codes in self.remarked.values() for code in codes)

    @property
    def seconds_left(self) -> float | None:
        """The estimated remaining time; None if it is unknown."""
        rate = self.items_per_second
        return (self.waiting + self.running) / rate if rate and self.workers else None

    def as_json(self) -> dict[str, Any]:
        """Return the content of `facepipe status --json`."""
        return {
            "schema": 1,
            "work": str(self.work),
            "items": self.total,
            "done": self.done,
            "failed": self.failed,
            "running": self.running,
            "interrupted": self.interrupted,
            "waiting": self.waiting,
            "dropped_from_lists": self.dropped_from_lists,
            "workers": self.workers,
            "items_per_second": round(self.items_per_second, 4),
            "seconds_left": self.seconds_left,
            "failures": dict(self.failure_classes),
            "remarks": dict(self.remark_codes),
            "frames": self.frames,
            "frames_without_face": self.lost,
            "items_without_face_somewhere": self.items_with_lost,
            "bytes": self.bytes,
        }
