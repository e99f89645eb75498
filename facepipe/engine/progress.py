"""Progress of a job: its events counted by stage, and formatted as text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from facepipe.engine.events import (
    Batch,
    BatchSummary,
    Done,
    Estimate,
    Event,
    Expected,
    Failed,
    ItemDone,
    ItemPlan,
    Plan,
    Progress,
    Remarked,
    Skipped,
    StageEvent,
    Start,
    Summary,
)

FAILURE_LINES = 20
"""Number of failed items of a batch that get a line of their own."""
INVALID = "invalid"
"""The reason of an item of a batch whose row or files have faults."""
SETTLING_SECONDS = 0.2
"""No rate is reported before this, as it would be too noisy."""


def printable(text: str) -> str:
    """Escape the unprintable characters of a text such as a file name, so that it cannot control the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


@dataclass
class StageProgress:
    """The progress of one stage."""

    stage: str
    expected: int | None = None
    """Frames of all runs; None while unknown."""
    announced: bool = False
    """True if `expected` was announced for the whole job rather than run by run."""
    finished: int = 0
    """Frames of finished and skipped runs."""
    current: int = 0
    """Frames of the current run."""
    made_frames: int = 0
    made_seconds: float = 0.0
    """Total time of the runs of this job, which the rate is computed from."""
    run_started: float | None = None

    @property
    def frames(self) -> int:
        """Frames done so far."""
        return self.finished + self.current

    def frames_per_second(self, now: float) -> float | None:
        """Return the rate of this job's own runs (skipped ones excluded), or None if it is not known yet."""
        seconds = self.made_seconds + (now - self.run_started if self.run_started is not None else 0.0)
        done = self.made_frames + self.current
        return done / seconds if done and seconds > SETTLING_SECONDS else None

    def text(self, now: float) -> str:
        """Return for example "120/250 frames, 40.1 frames/s, 3 s left"; unknown parts are left out."""
        text = f"{self.frames}/{self.expected} frames" if self.expected else f"{self.frames} frames"
        rate = self.frames_per_second(now)
        if rate is None:
            return text
        left = f", {duration_text((self.expected - self.frames) / rate)} left" if self.expected else ""
        return f"{text}, {rate:.1f} frames/s{left}"

    def count(self, event: Event, now: float) -> None:
        """Count an event of this stage."""
        if isinstance(event, Expected):
            self.expected, self.announced = event.frames, True
        elif isinstance(event, Start):
            self.current, self.run_started = 0, now
            if not self.announced:
                self.expected = self.finished + event.frames if event.frames else None
        elif isinstance(event, Progress):
            self.current = event.frames_done
        elif isinstance(event, Skipped):
            self.finished += event.frames or 0
        elif isinstance(event, Done):
            self.finished, self.current, self.run_started = self.finished + event.frames_done, 0, None
            self.made_frames += event.frames_done
            self.made_seconds += event.seconds
        elif isinstance(event, Failed):
            self.current, self.run_started = 0, None


@dataclass
class JobProgress:
    """The progress of all stages of a job or of a batch, and the kinds of events already displayed."""

    verbose: bool = False
    """Whether each item of a batch, each remark about one and each failure is news."""
    stages: dict[str, StageProgress] = field(default_factory=dict)
    displayed: set[tuple[str, str, str]] = field(default_factory=set)
    batch: Batch | None = None
    """The last counts of a batch."""
    failures: int = 0

    def count(self, event: Event) -> StageProgress | None:
        """Count an event; return the tally of its stage, or None if it is not about a stage."""
        if isinstance(event, Batch):
            self.batch = event
        if self.batch or not isinstance(event, StageEvent | Expected):
            return None
        stage = self.stages.setdefault(event.stage, StageProgress(event.stage))
        stage.count(event, time.monotonic())
        return stage

    def is_news(self, event: Event) -> bool:
        """Return True if an event deserves a line of its own.

        Of many segments with one reason only the first does; of the failed items of a batch, the first FAILURE_LINES.
        """
        if self.batch and not self.verbose and isinstance(event, Failed | Remarked):
            self.failures += isinstance(event, Failed)
            return self.failures <= FAILURE_LINES if isinstance(event, Failed) else not event.label
        if isinstance(event, ItemDone):
            return self.verbose
        if isinstance(event, Summary):
            # A job that ended before its first stage has no summary.
            return bool(event.dry_run or event.made or event.skipped or event.failed)
        if isinstance(event, Failed | Remarked | Plan | Estimate | ItemPlan | BatchSummary):
            return True
        if not isinstance(event, Skipped | Start | Done):
            return False
        kind = (event.event, event.stage, "" if isinstance(event, Done) else event.reason)
        news = kind not in self.displayed
        self.displayed.add(kind)
        return news


def format_event(event: Event) -> str:
    """Return the text of an event without control characters; "" for events that have none.

    It is one line, except for the summary of a batch, which has up to three.
    """
    if isinstance(event, Plan):
        verb = "keep" if event.reason == "done" else "make"
        frames = f", {event.frames} frame{'s' * (event.frames != 1)}" if event.frames and verb == "make" else ""
        return printable(f"{verb} {event.label} ({event.reason}{frames})")
    if isinstance(event, Skipped):
        return printable(f"kept {event.label} ({event.reason})")
    if isinstance(event, Start):
        return printable(f"make {event.label} ({event.reason})")
    if isinstance(event, Done):
        rate = f", {event.frames_done / event.seconds:.1f} frames/s" if event.frames_done and event.seconds else ""
        return printable(f"made {event.label} in {duration_text(event.seconds)}{rate}")
    if isinstance(event, Failed):
        return printable(f"failed {event.label}: {'; '.join(event.message.splitlines())}")
    if isinstance(event, Remarked):
        return printable(f"note: {event.label}: {event.message}" if event.label else f"note: {event.message}")
    if isinstance(event, Estimate):
        work, result = (f"{size / 1e6:.1f} MB" for size in (event.work_bytes, event.result_bytes))
        return printable(f"estimate for {event.label}: {event.frames} frames, {work} of work files, {result} of result")
    if isinstance(event, Batch | ItemDone | ItemPlan):
        return printable(_batch_line(event))
    if isinstance(event, BatchSummary):
        return "\n".join(map(printable, _batch_summary(event)))
    return _summary_line(event) if isinstance(event, Summary) else ""


def _batch_line(event: Batch | ItemDone | ItemPlan) -> str:
    if isinstance(event, ItemPlan):
        if event.reason == INVALID:
            return f"invalid {event.output}"
        return f"{'make' if event.to_make else 'keep'} {event.output} ({event.reason})"
    if isinstance(event, ItemDone):
        return f"made {event.output} in {duration_text(event.seconds)}"
    text = f"{event.done}/{event.items} items"
    if event.failed:
        text += f", {event.failed} failed"
    if event.items_per_second and event.remaining:
        text += f", {rate_text(event.items_per_second)}"
    if event.seconds_left is not None and event.remaining:
        text += f", {duration_text(event.seconds_left)} left"
    return text


def _batch_summary(event: BatchSummary) -> list[str]:
    if event.dry_run:
        failed = f", {event.failed} failed before" if event.failed else ""
        return [f"{event.items} items: {event.remaining} to make, {event.done} done{failed}"]
    counts = {
        "made": event.made,
        "failed": event.failed,
        "in work elsewhere": event.claimed_elsewhere,
        "not made": event.remaining,
    }
    details = ", ".join(f"{name} {count}" for name, count in counts.items() if count or name == "made")
    lines = [f"{event.done} of {event.items} items done ({details}) in {duration_text(event.seconds)}"]
    if event.failure_classes:
        lines.append(f"failures: {_counts_text(event.failure_classes)}")
    if event.remarks:
        lines.append(f"items with notes: {_counts_text(event.remarks)}; `facepipe stats --notes` lists them")
    return lines


def _counts_text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def rate_text(items_per_second: float) -> str:
    """Return a rate in a readable unit: "2.5 items/s", "12.0 items/min", "4.5 items/h"."""
    for unit, seconds in (("s", 1), ("min", 60)):
        if items_per_second * seconds >= 1:
            return f"{items_per_second * seconds:.1f} items/{unit}"
    return f"{items_per_second * 3600:.1f} items/h"


def _summary_line(event: Summary) -> str:
    if event.dry_run:
        return f"to make: {event.pending}, to keep: {event.skipped}"
    failed = f", failed {event.failed}" if event.failed else ""
    return f"made {event.made}, kept {event.skipped}{failed} in {duration_text(event.seconds)}"


def duration_text(seconds: float) -> str:
    """Return a duration in a readable form: "2.5 s", "48 s", "3:05 min", "2:10 h"."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    count, unit = (round(seconds), "min") if seconds < 3599.5 else (round(seconds / 60), "h")
    return f"{count // 60}:{count % 60:02} {unit}"


def size_text(count: int) -> str:
    """Return a number of bytes in kB, MB or GB (powers of 1000)."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
