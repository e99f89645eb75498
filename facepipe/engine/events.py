"""Events that a job emits while it runs. The JSON form of each event is stable within a schema version."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Event:
    """Base class of all events."""

    event: ClassVar[str]
    time: float = field(default_factory=lambda: round(time.time(), 3))
    """Seconds since 1970."""

    def as_json(self) -> dict[str, Any]:
        """Return the event as a JSON object."""
        return {"schema": SCHEMA, "event": self.event, **asdict(self)}


Sink = Callable[[Event], None]
"""A callable that receives events. It must not raise, and may be called from the threads of a stage."""


def ignore(event: Event) -> None:
    """Discard an event."""
    del event


@dataclass(frozen=True, kw_only=True, eq=False)
class StageEvent(Event):
    """Base class of the events about one stage."""

    stage: str
    label: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected(Event):
    """The number of frames of a stage in this job, over all its runs."""

    event = "expected"
    stage: str
    frames: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(StageEvent):
    """In a dry run: the planned action for a stage and its reason."""

    event = "plan"
    reason: str
    fingerprint: str | None
    frames: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Skipped(StageEvent):
    """A stage was not run because its result exists."""

    event = "skipped"
    reason: str
    fingerprint: str | None
    frames: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Start(StageEvent):
    """A stage starts."""

    event = "start"
    reason: str
    fingerprint: str | None
    frames: int | None
    """Expected number of frames; None if unknown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress(StageEvent):
    """Progress of a stage; at most ten events per second."""

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
class Remarked(StageEvent):
    """Something about an input or a result that the user should know, although the job goes on."""

    event = "remark"
    code: str
    """See `facepipe.engine.remark.Remark`."""
    message: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Failed(StageEvent):
    """A stage ended without a result."""

    event = "failed"
    failure_class: str
    permanent: bool
    message: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Error(Event):
    """The error that ended the command. Only a log file has it; the terminal has the message."""

    event = "error"
    message: str
    exit_code: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate(Event):
    """In a dry run: the expected size of a result."""

    event = "estimate"
    label: str
    frames: int
    work_bytes: int
    """Total size of the work files, existing ones included."""
    result_bytes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Event):
    """A result is at its destination."""

    event = "result"
    path: str
    changed: bool
    """False if it was already there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch(Event):
    """Progress of a batch; one event per second."""

    event = "batch"
    items: int
    """All items of this process's shard, those finished in earlier runs included."""
    done: int
    made: int
    """In this run."""
    failed: int
    """In this run, without further retries."""
    remaining: int
    seconds: float
    items_per_second: float | None = None
    """The rate at which the workers make items, without the loading of networks; None until an item has ended."""
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemDone(Event):
    """An item of a batch was made."""

    event = "item-done"
    item: str
    label: str
    output: str
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemPlan(Event):
    """In a dry run: the planned action for an item of a batch and its reason."""

    event = "item"
    item: str
    label: str
    output: str
    reason: str
    to_make: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchSummary(Event):
    """The last event of a batch."""

    event = "batch-summary"
    dry_run: bool
    items: int
    done: int
    made: int
    failed: int
    claimed_elsewhere: int
    """Items that other processes are making."""
    remaining: int
    seconds: float
    exit_code: int
    failure_classes: Mapping[str, int] = field(default_factory=dict)
    """Number of failed items by class."""
    remarks: Mapping[str, int] = field(default_factory=dict)
    """Number of items made or failed in this run by code of a remark."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Summary(Event):
    """The last event of a job."""

    event = "summary"
    dry_run: bool
    made: int
    skipped: int
    pending: int
    """In a dry run: the number of stages that would run."""
    failed: int
    frames_done: int
    seconds: float
    exit_code: int
