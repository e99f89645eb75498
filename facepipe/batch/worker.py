"""The worker process: claims items, makes them and writes their outcome to the item log."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from facepipe.batch.command_set import CommandSet
from facepipe.batch.item import Item
from facepipe.batch.keeping import Keep, discard
from facepipe.engine import Artefact, Job, Workspace
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import Claims, is_process_dead
from facepipe.engine.events import Done, Event, Failed, Remarked, Skipped
from facepipe.engine.item_log import BEGUN, DONE, DROPPED, FAILED, RANK, Entries, Entry, ItemLog
from facepipe.engine.run_files import read_offsets
from facepipe.errors import ExitCode, FacepipeError, Interrupted, MemoryLimitError, as_expected
from facepipe.weights.loaded import loading_seconds

DETAIL_CHARACTERS = 2000
PAUSE_SECONDS = 0.5
"""Pause between two tries of an item; doubled each time."""
STOP_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Orders:
    """The parameters of a run, the same for all items."""

    run: str
    token: str
    """Token of the leading process; workers end when it ends."""
    folder: Path
    """The folder to which the paths of items are relative."""
    work: Path
    commands: CommandSet
    threads: int
    stale_seconds: float
    keep: Keep = "all"
    environment: tuple[tuple[str, str], ...] = ()
    orphans_end: bool = False
    """Whether worker processes belong to the run and end if the leader is gone."""


@dataclass(frozen=True)
class Task:
    """An item to be made, and its last recorded state."""

    item: Item
    number: int
    """Number of its last entry; 0 without one."""
    state: str
    """State of its last entry; empty without one."""
    key: str
    tries: int
    """Number of earlier tries in this run."""
    shared: tuple[str, ...] = ()
    """Inputs that other items also use; empty if not needed."""
    repeated: bool = False
    """Whether another item has exactly the same inputs."""
    silent: str = ""
    """Token of a dead process that claimed the item, so that workers need not check it again."""


def work(orders: Orders, task: Task) -> None:
    """Do one task in this process. The outcome is written to the item log; only DiskError is raised."""
    worker_of(orders).do(task)


@lru_cache(maxsize=1)
def worker_of(orders: Orders) -> Worker:
    """Return this process's worker for a run. It lives as long as the process, with its networks and caches."""
    return Worker(orders)


class Worker:
    """The state of a worker process in a run."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        os.environ.update(orders.environment)
        os.chdir(orders.folder)
        if threading.current_thread() is threading.main_thread():
            # Ctrl-C signals all processes of a terminal; only the leader handles it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._paths = BatchPaths(orders.work)
        self._workspace = Workspace(orders.work)
        self._claims = Claims(self._paths.claims, stale_seconds=orders.stale_seconds)
        self._log = ItemLog(self._paths.journal, about={"role": "worker", "run": orders.run})
        # The leader knows the entries of this run; a worker needs only those of other runs.
        offsets = read_offsets(self._paths.offsets(orders.run))
        self._entries = Entries(self._paths.journal, offsets, without_run=orders.run)
        self._stopping = False
        self._looked = 0.0
        self._free_since: float | None = None
        """When this process ended its last item; None before the first."""
        orders.commands.prepare(orders.threads)
        threading.Thread(target=self._live, name="heartbeat", daemon=True).start()

    def do(self, task: Task) -> None:
        """Make an item unless another process is making it or has made it."""
        if task.silent:
            self._claims.bury(task.silent)
        if self.stopping(now=True) or not self._claims.take(task.item.id):
            return
        try:
            self._entries.refresh()
            latest = self._entries.get(task.item.id)
            if latest and latest.state == DONE and latest.key == task.key and is_news(latest, task):
                return  # another process has made it in the meantime
            number = max(task.number, latest.number if latest else 0) + 1
            if task.tries:
                time.sleep(PAUSE_SECONDS * 2 ** min(task.tries - 1, 5))
            known: dict[str, Any] = {"number": number, "run": self.orders.run, "tries": task.tries + 1, "key": task.key}
            self._log.append(task.item.id, {**known, "state": BEGUN})
            self._log.append(task.item.id, {**known, **self._outcome(task)})
        finally:
            self._claims.release(task.item.id)

    def _outcome(self, task: Task) -> dict[str, Any]:
        began, loading, warm = time.monotonic(), loading_seconds(), self._free_since is not None
        outcome = self._made(task, began)
        now, free_since = time.monotonic(), began if self._free_since is None else self._free_since
        self._free_since = now
        return {**outcome, "busy": round(now - free_since - (loading_seconds() - loading), 3), "warm": warm}

    def _made(self, task: Task, started: float) -> dict[str, Any]:
        seen = Seen()
        try:
            self.orders.commands.make(task.item, self.orders.folder, lambda who, body: self._run(seen, who, body))
        except (KeyboardInterrupt, Interrupted):
            return {"state": DROPPED}
        except Exception as error:
            if self.stopping(now=True):
                return {"state": DROPPED}  # an error caused by stopping is not a failure
            return {
                "state": FAILED,
                "stage": seen.failed_stage,
                "item": task.item.as_json(),
                "label": task.item.label,
                "seconds": round(time.monotonic() - started, 3),
                "remarks": seen.remarks,
                **failure_record(error),
            }
        uses = discard(seen.results, self.orders.keep, self._roots(task), task.shared, repeated=task.repeated)
        return {
            "state": DONE,
            "label": task.item.label,
            "out": task.item.output,
            "seconds": round(time.monotonic() - started, 3),
            "stages": dict(seen.stages),
            "frames": seen.frames,
            "lost": seen.lost,
            "remarks": seen.remarks,
            "uses": uses,
            "bytes": self._size(task.item.output),
        }

    def _run(self, seen: Seen, identity: Mapping[str, Any], body: Callable[[Job], None]) -> None:
        with Job(
            self._workspace, identity, events=seen, remembers=False, claims=self._claims, check=self._check
        ) as job:
            try:
                body(job)
            finally:
                seen.results = job.results

    def _roots(self, task: Task) -> dict[str, str]:
        """Return the digests of the item's inputs by path."""
        names = self.orders.commands.inputs(task.item)
        return {name: self._workspace.digests.digest(self.orders.folder / name) for name in names}

    def _size(self, output: str) -> int:
        with suppress(OSError):
            return (self.orders.folder / output).stat().st_size
        return 0

    def _check(self) -> None:
        if self.stopping():
            raise KeyboardInterrupt

    def stopping(self, *, now: bool = False) -> bool:
        """Return whether the run should stop. The disk is checked at most every STOP_LOOK_SECONDS, or if `now`."""
        if not self._stopping and (now or time.monotonic() - self._looked > STOP_LOOK_SECONDS):
            self._looked = time.monotonic()
            self._stopping = self._paths.stop(self.orders.run).exists() or bool(is_process_dead(self.orders.token))
        return self._stopping

    def _live(self) -> None:
        while True:
            time.sleep(min(self._claims.beat_seconds, 5.0))
            self._claims.beat()
            if self.orders.orphans_end and not self._claims.holds_any and is_process_dead(self.orders.token):
                # The leader is gone, so this process will get no more tasks.
                os._exit(int(ExitCode.TRY_AGAIN))


def is_news(entry: Entry, task: Task) -> bool:
    """Return whether an entry is newer than the state that the leader knew when it created the task."""
    known = RANK.get(task.state, -1)
    return (entry.number, RANK.get(entry.state, 0)) > (task.number, known)


@dataclass
class Seen:
    """Totals of the events of one item."""

    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0.0, 0]))
    """By stage: number of runs made, number skipped, seconds, frames."""
    failed_stage: str = ""
    remarks: list[dict[str, str]] = field(default_factory=list)
    results: list[Artefact] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Process an event."""
        if isinstance(event, Done):
            made = self.stages[event.stage]
            made[0], made[2], made[3] = made[0] + 1, round(made[2] + event.seconds, 3), made[3] + event.frames_done
        elif isinstance(event, Skipped):
            self.stages[event.stage][1] += 1
        elif isinstance(event, Failed):
            self.failed_stage = event.stage
        elif isinstance(event, Remarked):
            self.remarks.append({"code": event.code, "text": f"{event.label}: {event.message}"})

    @property
    def frames(self) -> int:
        """Number of frames rendered, now or earlier."""
        return self._sum("frames", "render")

    @property
    def lost(self) -> int:
        """Number of frames without a face."""
        return self._sum("frames_without_face", "coefficients")

    def _sum(self, fact: str, stage: str) -> int:
        results = {one.folder: one for one in self.results if one.record.identity.stage == stage}
        return sum(int(one.facts.get(fact, 0)) for one in results.values())


def failure_record(error: Exception) -> dict[str, Any]:
    """Return the fields of a failure record for an error."""
    if isinstance(error, MemoryError):
        error = MemoryLimitError("out of memory; run fewer jobs, or choose a smaller size")
    error = as_expected(error) or error
    if isinstance(error, FacepipeError):
        return {
            "class": error.failure_class,
            "permanent": error.permanent,
            "message": str(error),
            "detail": error.detail[-DETAIL_CHARACTERS:],
            "type": type(error).__name__,
        }
    trace = "".join(traceback.format_exception(error))[-DETAIL_CHARACTERS:]
    message = f"bug in facepipe: {type(error).__name__}: {error}"
    return {"class": "bug", "permanent": True, "message": message, "detail": trace, "type": type(error).__name__}
