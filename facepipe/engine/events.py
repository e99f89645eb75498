"""What a job tells while it runs. The JSON form of each event is stable within a schema version."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Event:
    """What all events have."""

    event: ClassVar[str]
    time: float = field(default_factory=lambda: round(time.time(), 3))
    """Seconds since 1970."""

    def as_json(self) -> dict[str, Any]:
        """Return the event as a JSON object."""
        return {"schema": SCHEMA, "event": self.event, **asdict(self)}


Sink = Callable[[Event], None]
"""What takes events. It must not fail, and may be called from the threads of a stage."""


def ignore(event: Event) -> None:
    """Take an event and do nothing with it."""
    del event


@dataclass(frozen=True, kw_only=True, eq=False)
class StageEvent(Event):
    """What the events about one stage have."""

    stage: str
    label: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected(Event):
    """How many frames a stage has to do in this job, over all its runs."""

    event = "expected"
    stage: str
    frames: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(StageEvent):
    """In a dry run: what would be done about a stage, and why."""

    event = "plan"
    reason: str
    fingerprint: str | None
    frames: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Skipped(StageEvent):
    """A result was there."""

    event = "skipped"
    reason: str
    fingerprint: str | None
    frames: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Start(StageEvent):
    """A stage begins."""

    event = "start"
    reason: str
    fingerprint: str | None
    frames: int | None
    """How many frames are expected, if that is known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress(StageEvent):
    """A stage goes on; at most ten of these come a second."""

    event = "progress"
    frames_done: int
    frames: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Done(StageEvent):
    """A result was made."""

    event = "done"
    fingerprint: str | None
    seconds: float
    frames_done: int
    folder: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Failed(StageEvent):
    """A stage ended without a result."""

    event = "failed"
    failure_class: str
    permanent: bool
    message: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate(Event):
    """In a dry run: what a result will take."""

    event = "estimate"
    label: str
    frames: int
    work_bytes: int
    """Of the work files, those that are there already among them."""
    result_bytes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Event):
    """A result lies in its place."""

    event = "result"
    path: str
    changed: bool
    """False if it lay there already."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch(Event):
    """How a batch stands; one a second."""

    event = "batch"
    items: int
    """All of this process's share, those of earlier runs included."""
    done: int
    made: int
    """In this run."""
    failed: int
    """In this run, for good."""
    left: int
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemPlan(Event):
    """In a dry run: what would be done about an item of a batch, and why."""

    event = "item"
    item: str
    label: str
    output: str
    reason: str
    wanted: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchSummary(Event):
    """The last event of a batch."""

    event = "batch-summary"
    dry_run: bool
    items: int
    done: int
    made: int
    failed: int
    held: int
    """By other processes."""
    left: int
    seconds: float
    exit_code: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Summary(Event):
    """The last event of a job."""

    event = "summary"
    dry_run: bool
    made: int
    skipped: int
    pending: int
    """In a dry run: how many would be made."""
    failed: int
    frames_done: int
    seconds: float
    exit_code: int
