"""The leading process of a batch: plans items, hands out tasks and reads the item log until nothing is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from facepipe.batch.engines import BrokenEngineError, Engine
from facepipe.batch.joblist import JobList
from facepipe.batch.keeping import Keep, sweep
from facepipe.batch.limits import Limits
from facepipe.batch.listed import RETRY, save_list
from facepipe.batch.outcome import Settled, Stop, Survey, settle
from facepipe.batch.plan import Checked, Decision, Planner
from facepipe.batch.progress import BatchProgress
from facepipe.batch.stopping import first_signal
from facepipe.batch.worker import Orders, Task, failure_record, work
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import STALE_SECONDS, Claims
from facepipe.engine.events import Sink
from facepipe.engine.item_log import BEGUN, FAILED, RUN, Entries, ItemLog
from facepipe.engine.lock import FolderLock
from facepipe.engine.run_files import remove_dead_run_files, save_offsets
from facepipe.errors import DiskError, ExitCode, FacepipeError, MemoryLimitError

LOST_ENGINES = 5
"""Number of engine failures in a row, without a finished item in between, after which the batch fails."""
DISK_FAILURES_IN_A_ROW = 3
"""A single disk error can be caused by a name that is too long. This many in a row mean that the disk itself fails."""


class Run:
    """A run of a batch, led by this process."""

    def __init__(
        self,
        jobs: JobList,
        work: Path,
        folder: Path,
        engine: Engine,
        *,
        limits: Limits,
        events: Sink,
        keep: Keep = "all",
        stale_seconds: float = STALE_SECONDS,
        again: frozenset[str] = frozenset(),
    ) -> None:
        self.id = os.urandom(6).hex()
        self.jobs, self.engine, self.limits, self.events, self.keep = jobs, engine, limits, events, keep
        self.paths = BatchPaths(work.absolute())
        self.entries = Entries(self.paths.journal)
        self.entries.refresh()
        self.planner = Planner(jobs, folder, self.entries, run=self.id, retries=limits.retries, again=again)
        self.claims = Claims(self.paths.claims, stale_seconds=stale_seconds)
        self.log = ItemLog(self.paths.journal, about={"role": "lead", "run": self.id})
        self.orders = Orders(
            run=self.id,
            token=self.claims.token,
            folder=folder,
            work=self.paths.work,
            commands=jobs.commands,
            threads=engine.threads,
            stale_seconds=stale_seconds,
            keep=keep,
            orphans_end=engine.name == "loky",
            environment=_environment(engine),
        )
        self.progress = BatchProgress(self.events, engine.workers)
        self.stop = Stop()
        self.disk_message = ""

    def check(self) -> Checked:
        """Check all items before the first is begun."""
        return self.planner.check(count_inputs=self.keep != "all")

    def lead(self, checked: Checked) -> Settled:
        """Make all items that are to be made. Return the outcome."""
        about = self._about(checked)
        if self.jobs.name != RETRY:
            save_list(self.paths.lists, {**about, "run": self.id, "time": round(time.time(), 3)}, checked.ids)
        if not checked.wanted:
            return self._settle(checked, Survey.of_plan(checked))
        self.log.append(f"{RUN}{self.id}", about)
        # Workers read only later lines of other runs.
        save_offsets(self.paths.offsets(self.id), self.claims.token, self.entries.offsets)
        self.progress.begin(checked, self.limits.max_failures(checked.wanted))
        for decision, fault in checked.bad.values():
            self.log.append(decision.item.id, {**self._known(decision), "state": FAILED, **failure_record(fault)})
        with self._stoppable(), self.engine.started() as apply, self.progress.ticking(self._look):
            survey = self._rounds(apply, checked)
        settled = self._settle(checked, survey)
        self.claims.sweep()
        remove_dead_run_files(self.paths)
        with suppress(DiskError):  # the outcome is known; the disk may be the reason of it
            self.log.append(f"{RUN}{self.id}", {"exit_code": int(settled.exit_code), "ended": True})
        self.log.close()
        return settled

    def tidy(self, settled: Settled) -> bool:
        """Remove results kept for later items, if no items are left.

        Returns False if another process uses the folder; what it leaves is removed by the run that ends last, or by the
        same command later.
        """
        if self.keep == "all" or settled.exit_code != ExitCode.DONE:
            return True
        try:
            lock = FolderLock(self.paths.work)
        except BlockingIOError:
            return False
        with suppress(OSError):
            sweep(self.paths.work, self.keep)
        lock.release()
        return True

    def results(self) -> Iterator[str]:
        """Yield the paths of the results that are done, in the order of the list."""
        return (one.item.output for one in self.planner.decisions() if one.reason == "done")

    def _about(self, checked: Checked) -> dict[str, Any]:
        shard = self.jobs.shard
        return {
            "jobs": self.jobs.name,
            "items": checked.total,
            "mine": checked.mine,
            "wanted": checked.wanted,
            "rank": shard.rank,
            "world": shard.world,
            "engine": self.engine.name,
            "workers": self.engine.workers,
            "folder": str(self.orders.folder),
            "keep": self.keep,
            "retries": self.limits.retries,
        }

    def _rounds(self, apply: Callable[..., None], checked: Checked) -> Survey:
        """Hand out open items in rounds until none is left, only other processes hold some, or the run stops."""
        broken = idle = 0
        survey = self._survey()
        while survey.open and not self.stopping:
            before, entries = self.progress.ended, self.progress.entries
            try:
                apply(partial(work, self.orders), self._tasks(checked))
            except DiskError as error:
                self._look()
                self._stop(f"stopped because the disk fails: {error}")
            except BrokenEngineError as error:
                broken = 0 if self.progress.ended > before else broken + 1
                if broken >= LOST_ENGINES:
                    raise FacepipeError(
                        f"the engine failed {LOST_ENGINES} times in a row ({error}); try --engine loky"
                    ) from error
            survey = self._survey()
            idle = 0 if self.progress.entries > entries else idle + 1
            if idle > LOST_ENGINES and not self.stop:
                raise FacepipeError(
                    f"{len(survey.open)} items were not started; this is a bug in facepipe, please report it"
                )
            if not self._wait_for_others(survey.open):
                return replace(survey, claimed_elsewhere=len(survey.open))
        return survey

    def _tasks(self, checked: Checked) -> Iterator[Task]:
        """Yield tasks until the run stops. Each is decided from the item log at that moment."""
        for planned in self.planner.decisions():
            if self.stopping:
                return
            if not planned.wanted:
                continue
            self._look()
            decision = self.planner.decide(planned.item)
            if decision.wanted:
                yield self._task(decision, checked)

    def _task(self, decision: Decision, checked: Checked) -> Task:
        inputs, name = tuple(decision.item.inputs.values()), decision.item.id
        holder = self.claims.holder(name)
        silent = holder if holder and self.claims.judge(name) == "dead" else ""
        return Task(
            decision.item,
            decision.entry.number if decision.entry else 0,
            decision.entry.state if decision.entry else "",
            decision.key,
            decision.tries,
            shared=tuple(name for name in inputs if checked.inputs[hash(name)] > 1),
            repeated=checked.inputs[hash(inputs)] > 1,
            silent=silent,
        )

    def _survey(self) -> Survey:
        """Count all items by state, and record a failure for items whose workers died more often than the retries."""
        self._look()
        survey = Survey()
        for decision in self.planner.decisions():
            name, entry = decision.item.id, decision.entry
            if decision.reason == "done":
                survey.done += 1
            elif decision.wanted:
                survey.open.append(name)
            elif entry and entry.state == BEGUN and entry.run == self.id:
                if self.claims.judge(name) in ("free", "dead"):
                    survey.classes[self._give_up(decision)] += 1
            elif decision.reason.startswith("failed"):
                survey.classes[entry.kind if entry else ""] += 1
            else:
                survey.remaining += 1
        self._look()
        return survey

    def _wait_for_others(self, names: list[str]) -> bool:
        """Wait until an item is free. Return False if live processes hold all items that are left."""
        if self.stopping:
            return True
        doubtful, seen = set(names), {name: self.claims.holder(name) for name in names}
        while doubtful and not self._is_stopping():
            verdicts = {name: self.claims.judge(name) for name in doubtful}
            if any(verdict in ("free", "dead") or seen[name] is None for name, verdict in verdicts.items()):
                return True
            doubtful = {name for name, verdict in verdicts.items() if verdict == "unknown"}
            if doubtful:
                time.sleep(min(0.5, self.claims.beat_seconds))
        return not names or self._is_stopping()

    def _is_stopping(self) -> bool:
        return self.stopping  # a signal may have changed it, which type checkers do not expect of the property

    def _known(self, decision: Decision) -> dict[str, Any]:
        """Return the fields of every entry that this process writes about an item."""
        return {
            "number": (decision.entry.number if decision.entry else 0) + 1,
            "run": self.id,
            "tries": decision.tries + 1,
            "key": decision.key,
            "stage": "",
            "item": decision.item.as_json(),
            "label": decision.item.label,
        }

    def _give_up(self, decision: Decision) -> str:
        """Record the failure of an item that killed its workers. Return its class."""
        fault = MemoryLimitError(
            f"the worker was killed {decision.tries} times while making this item; the usual cause is too little "
            "memory: reduce --jobs"
        )
        record = {**self._known(decision), "tries": decision.tries, "state": FAILED, **failure_record(fault)}
        with suppress(DiskError):  # the next run tries the item again
            self.log.append(decision.item.id, record)
        return fault.failure_class

    def _look(self) -> None:
        """Read the entries of the workers. Stop if a limit is reached, or if the work folder is gone."""
        with self.progress.lock:
            for name, entry, record in self.entries.changes():
                if entry.run == self.id:
                    self.progress.count(name, entry, record, self.limits.retries)
                if entry.kind == "disk":
                    self.disk_message = str(record.get("message", ""))
        if self.stop.message:
            return
        if self.progress.failed >= self.progress.max_failures:
            self.stop.limit_reached = True
            self._stop(f"stopped by the failure limit: {self.progress.failed} items failed")
        elif self.progress.disk_in_a_row >= DISK_FAILURES_IN_A_ROW:
            self._stop(f"stopped because the disk fails: {self.disk_message}; then run the same command to continue")
        elif self.log.is_lost:
            self._stop(
                f"stopped because the work folder {self.paths.work} was removed or replaced while the batch ran; "
                "results that are done are kept, run the same command to continue"
            )

    def _stop(self, message: str = "") -> None:
        self.stop.message = self.stop.message or message
        path = self.paths.stop(self.id)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    @property
    def stopping(self) -> bool:
        """Whether the run is stopping and hands out no more items."""
        return bool(self.stop)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """End the run gracefully at the first SIGINT or SIGTERM; remove the files of the run at the end."""
        try:
            with first_signal(self._stop_by_signal):
                yield
        finally:
            for path in (self.paths.stop(self.id), self.paths.offsets(self.id)):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def _stop_by_signal(self, number: int) -> None:
        self.stop.signal = number
        self._stop()

    def _settle(self, checked: Checked, survey: Survey) -> Settled:
        progress = self.progress
        found = dict(progress.remarks.most_common())
        return settle(survey, self.stop, total=checked.mine, made=progress.made, remarks=found, work=self.paths.work)


def _environment(engine: Engine) -> tuple[tuple[str, str], ...]:
    """Return the environment variables for workers: those of facepipe (FACEPIPE_…) and of the engine."""
    own = engine.environment()
    variables = {**os.environ, **own}.items()
    return tuple(sorted((name, value) for name, value in variables if name.startswith("FACEPIPE_") or name in own))
