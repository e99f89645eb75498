"""A job: several stages, run or planned by the same code."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from facepipe.engine.artefact import Artefact, Pending
from facepipe.engine.claim import Claims
from facepipe.engine.events import (
    Done,
    Event,
    Expected,
    Failed,
    Plan,
    Progress,
    Remarked,
    Sink,
    Skipped,
    Start,
    Summary,
    ignore,
)
from facepipe.engine.fingerprint import canonical_json
from facepipe.engine.labels import Labels
from facepipe.engine.lock import FolderLock
from facepipe.engine.remark import Remark, remarks_in
from facepipe.engine.stage import Json, Stage, WeightFile
from facepipe.engine.workspace import DONE, FORCED, Decision, Inputs, Workspace
from facepipe.errors import BusyError, ExitCode, FacepipeError

P = TypeVar("P")

JOBS = "jobs"
ALL = "all"
PROGRESS_SECONDS = 0.1


class Job:
    """Runs stages in order and reports why each one ran. Use it in a `with` statement.

    `identity` describes the job by its command and the *names* of its inputs and outputs. A job with the same identity
    is a rerun, and the reasons of its stages say what changed since. `force` names the stages to run again ("all" for
    all), each result once. A dry run makes and writes nothing except the digest cache.

    For batches: `remembers=False` does not store the identities that the reasons are compared with; with `claims`, a
    stage that another process is running is waited for rather than run twice; `check` is called while a stage runs or
    is waited for, and may raise to stop the job.
    """

    def __init__(
        self,
        workspace: Workspace,
        identity: Mapping[str, Json],
        *,
        force: Collection[str] = (),
        dry_run: bool = False,
        events: Sink = ignore,
        remembers: bool = True,
        claims: Claims | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.workspace = workspace
        self.dry_run = dry_run
        self.results: list[Artefact] = []
        """The artefacts that `run` has returned so far; the same one may occur twice."""
        self.remarks: list[Remark] = []
        """The remarks about the artefacts that `run` has returned, and those added by `remark`, each once."""
        self._remembers = remembers
        self._claims = claims
        self._check = check
        self.id = hashlib.sha256(canonical_json(dict(identity)).encode()).hexdigest()[:16]
        self._force = frozenset(force)
        self._emit = events
        self._labels = Labels(workspace.root / JOBS / f"{self.id}.jsonl")
        self._forced: set[str | None] = set()
        self._lock: FolderLock | None = None
        self._started = time.monotonic()
        self._made = self._skipped = self._pending = self._failed = self._frames_done = 0

    def __enter__(self) -> Job:
        if not self.dry_run and self.workspace.root.is_dir():
            self._lock = _shared_lock(self.workspace.root)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None and not self.dry_run and self._remembers:
            self._labels.forget_unused()
        if self._lock:
            self._lock.release()
        self._emit(
            Summary(
                dry_run=self.dry_run,
                made=self._made,
                skipped=self._skipped,
                pending=self._pending,
                failed=self._failed,
                frames_done=self._frames_done,
                seconds=round(time.monotonic() - self._started, 3),
                exit_code=int(_exit_code(error)),
            )
        )

    def expect(self, stage: Stage[P], frames: int) -> None:
        """Announce the number of frames of all runs of a stage, so that its ETA covers them all."""
        self._emit(Expected(stage=stage.name, frames=frames))

    def run(
        self,
        stage: Stage[P],
        inputs: Inputs,
        params: P,
        *,
        weights: Mapping[str, WeightFile] | None = None,
        label: str = "",
        frames: int | None = None,
    ) -> Artefact | Pending:
        """Return the result of a stage, running it if needed. A dry run returns Pending for a stage that would run.

        `label` describes this run to the user; `frames` is its number of frames, if known. Raises the errors of
        `Workspace.decide` and `Workspace.execute`.
        """
        label = self._labels.unique(label or stage.name)
        decision = self._decide(stage, inputs, params, weights, label)
        artefact: Artefact | Pending
        if self.dry_run:
            artefact = self._plan(decision, frames)
        elif decision.artefact and decision.done:
            artefact = self._skip(decision, decision.artefact, frames)
        else:
            artefact = self._make_alone(decision, frames)
        if decision.identity and not self.dry_run and self._remembers:
            self._labels.remember(label, decision.identity)
        if isinstance(artefact, Artefact):
            self.results.append(artefact)
            for remark in remarks_in(artefact.facts):
                self.remark(remark, stage=stage.name, label=label)
        return artefact

    def _decide(
        self, stage: Stage[P], inputs: Inputs, params: P, weights: Mapping[str, WeightFile] | None, label: str
    ) -> Decision[P]:
        try:
            decision = self.workspace.decide(
                stage,
                inputs,
                params,
                weights,
                label=label,
                previous=self._labels.previous(label),
                force=self._forces(stage),
            )
        except Exception as error:
            self.fail(stage.name, label, error)
            raise
        if decision.reason == FORCED:
            if decision.fingerprint in self._forced:
                return replace(decision, reason=DONE)
            self._forced.add(decision.fingerprint)
        return decision

    def _plan(self, decision: Decision[P], frames: int | None) -> Artefact | Pending:
        self._emit_decision(Plan, decision, frames)
        if decision.artefact and decision.done:
            self._skipped += 1
            return decision.artefact
        self._pending += 1
        return Pending(decision.label)

    def _skip(self, decision: Decision[P], artefact: Artefact, frames: int | None) -> Artefact:
        self._skipped += 1
        self._emit_decision(Skipped, decision, frames)
        return artefact

    def _make_alone(self, decision: Decision[P], frames: int | None) -> Artefact:
        """Run a stage, or wait if another process is running it and take its result."""
        if self._claims is None or decision.fingerprint is None:
            return self._make(decision, frames)
        with self._claims.turn(decision.fingerprint, self._check) as waited:
            assert decision.identity is not None
            found = self.workspace.store.find(decision.identity) if waited else None
            if found and decision.reason != FORCED:
                return self._skip(replace(decision, reason=DONE), found, frames)
            return self._make(decision, frames)

    def _make(self, decision: Decision[P], frames: int | None) -> Artefact:
        stage, label = decision.stage.name, decision.label
        started = emitted = time.monotonic()
        frames_done = 0

        def advance(count: int) -> None:
            nonlocal frames_done, emitted
            frames_done += count
            if time.monotonic() - emitted >= PROGRESS_SECONDS:
                emitted = time.monotonic()
                self._check()
                self._emit(Progress(stage=stage, label=label, frames_done=frames_done, frames=frames))

        try:
            self._hold()
            self._emit_decision(Start, decision, frames)
            artefact = self.workspace.execute(decision, advance)
        except BaseException as error:
            self.fail(stage, label, error)
            raise
        self._made += 1
        self._frames_done += frames_done
        seconds = round(time.monotonic() - started, 3)
        folder = os.fsencode(artefact.folder).decode("utf-8", "backslashreplace")
        fingerprint = decision.fingerprint
        self._emit(
            Done(
                stage=stage,
                label=label,
                fingerprint=fingerprint,
                seconds=seconds,
                frames_done=frames_done,
                folder=folder,
            )
        )
        return artefact

    def _emit_decision(self, event: type[Plan | Skipped | Start], decision: Decision[P], frames: int | None) -> None:
        self._emit(
            event(
                stage=decision.stage.name,
                label=decision.label,
                reason=decision.reason,
                fingerprint=decision.fingerprint,
                frames=frames,
            )
        )

    @property
    def failures(self) -> int:
        """The number of failures emitted so far."""
        return self._failed

    def emit(self, event: Event) -> None:
        """Emit an event that is not about one stage."""
        self._emit(event)

    def remark(self, remark: Remark, *, stage: str = "", label: str = "") -> None:
        """Emit a remark, unless the job has emitted the same one before."""
        if remark not in self.remarks:
            self.remarks.append(remark)
            self._emit(Remarked(stage=stage, label=label or stage, code=remark.code, message=remark.text))

    def hold_places(self, paths: Iterable[Path]) -> AbstractContextManager[None]:
        """Claim files that are about to be written, so that no other process of a batch writes them meanwhile."""
        return self._claims.hold_places(paths, self._check) if self._claims else nullcontext()

    def count(self, frames: int) -> None:
        """Count in the summary a piece of work that was done without `run`."""
        self._made += 1
        self._frames_done += frames

    def fail(self, stage: str, label: str, error: BaseException) -> None:
        """Emit the failure of a piece of work, before its stage ran or in it."""
        self._failed += 1
        known = error if isinstance(error, FacepipeError) else None
        stopped = isinstance(error, KeyboardInterrupt)
        self._emit(
            Failed(
                stage=stage,
                label=label,
                failure_class=known.failure_class if known else "interrupted" if stopped else "bug",
                permanent=known.permanent if known else not stopped,
                message=str(known) if known else "interrupted" if stopped else repr(error),
                detail=known.detail if known else "",
            )
        )

    def _forces(self, stage: Stage[P]) -> bool:
        return stage.name in self._force or ALL in self._force

    def _hold(self) -> None:
        """Lock the work folder against `clean`, and check before the first stage that it can be written."""
        if self._made == 0:
            self.workspace.precheck()
        self._lock = self._lock or _shared_lock(self.workspace.root)


def _shared_lock(root: Path) -> FolderLock:
    try:
        return FolderLock(root, shared=True)
    except BlockingIOError:
        raise BusyError(f"{str(root)!r} is being cleaned by another process; run again in a moment") from None


def _exit_code(error: BaseException | None) -> ExitCode:
    if error is None:
        return ExitCode.DONE
    if isinstance(error, FacepipeError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.BUG
