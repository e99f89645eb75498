"""A piece of work of several stages, run or planned through the same lines of code."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
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
    Sink,
    Skipped,
    Start,
    Summary,
    ignore,
)
from facepipe.engine.fingerprint import Identity, canonical_json
from facepipe.engine.journal import Journal
from facepipe.engine.lock import FolderLock
from facepipe.engine.stage import Json, Stage, WeightFile
from facepipe.engine.workspace import DONE, FORCED, Decision, Inputs, Workspace
from facepipe.errors import BusyError, ExitCode, FacepipeError

P = TypeVar("P")

JOBS = "jobs"
ALL = "all"
PROGRESS_SECONDS = 0.1


class Job:
    """Runs stages one after another and tells why each ran; to be used in a `with` statement.

    `identity` describes the job by its command and the *names* of its inputs and outputs: a job with the same identity
    is the same job again, and its reasons tell what changed since. `force` names the stages to be made anew ("all" for
    all), each result once. In a dry run nothing is made and nothing written, the digest cache apart.

    What a batch wants of its many jobs: `remembers` is whether the job notes what it was made from; with `claims` a
    stage that another process is at is waited for and not made twice; `check` is called while a stage runs or is waited
    for, and may raise to end it.
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
        """What `run` has returned so far, the same result perhaps twice."""
        self._remembers = remembers
        self._claims = claims
        self._check = check
        self.id = hashlib.sha256(canonical_json(dict(identity)).encode()).hexdigest()[:16]
        self._force = frozenset(force)
        self._emit = events
        self._memory: Journal[dict[str, Json] | None] = Journal(workspace.root / JOBS / f"{self.id}.jsonl")
        self._labels: set[str] = set()
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
            self._forget_unused_labels()
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
        """Announce how many frames a stage has before it in all its runs, so that its ETA covers them all."""
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
        """Return the result of a stage, made now if it must be; in a dry run Pending where it would be made.

        `label` says in the user's words what this run is about; `frames` how many it will do, if known. Raises what
        `Workspace.decide` and `Workspace.execute` raise.
        """
        label = self._unique(label or stage.name)
        decision = self._decide(stage, inputs, params, weights, label)
        artefact: Artefact | Pending
        if self.dry_run:
            artefact = self._plan(decision, frames)
        elif decision.artefact and decision.done:
            artefact = self._skip(decision, decision.artefact, frames)
        else:
            artefact = self._make_alone(decision, frames)
        if decision.identity and not self.dry_run and self._remembers:
            self._memory.set(label, decision.identity.as_json())
        if isinstance(artefact, Artefact):
            self.results.append(artefact)
        return artefact

    def _decide(
        self, stage: Stage[P], inputs: Inputs, params: P, weights: Mapping[str, WeightFile] | None, label: str
    ) -> Decision[P]:
        try:
            decision = self.workspace.decide(
                stage, inputs, params, weights, label=label, previous=self._previous(label), force=self._forces(stage)
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
        self._tell(Plan, decision, frames)
        if decision.artefact and decision.done:
            self._skipped += 1
            return decision.artefact
        self._pending += 1
        return Pending(decision.label)

    def _skip(self, decision: Decision[P], artefact: Artefact, frames: int | None) -> Artefact:
        self._skipped += 1
        self._tell(Skipped, decision, frames)
        return artefact

    def _make_alone(self, decision: Decision[P], frames: int | None) -> Artefact:
        """Make a result unless another process is at it: then wait, and take what it made."""
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
        started = told = time.monotonic()
        frames_done = 0

        def advance(count: int) -> None:
            nonlocal frames_done, told
            frames_done += count
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                self._check()
                self._emit(Progress(stage=stage, label=label, frames_done=frames_done, frames=frames))

        try:
            self._hold()
            self._tell(Start, decision, frames)
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

    def _tell(self, event: type[Plan | Skipped | Start], decision: Decision[P], frames: int | None) -> None:
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
        """How many failures were told so far."""
        return self._failed

    def tell(self, event: Event) -> None:
        """Pass on an event that is not about one stage."""
        self._emit(event)

    def count(self, frames: int) -> None:
        """Count in the summary a piece of work that was done without `run`."""
        self._made += 1
        self._frames_done += frames

    def fail(self, stage: str, label: str, error: BaseException) -> None:
        """Tell of a piece of work that failed before its stage, or in it."""
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

    def _unique(self, label: str) -> str:
        candidate, number = label, 1
        while candidate in self._labels:
            number += 1
            candidate = f"{label} {number}"
        self._labels.add(candidate)
        return candidate

    def _previous(self, label: str) -> Identity | None:
        with suppress(KeyError, TypeError):
            return Identity.from_json(self._memory.values[label] or {})
        return None

    def _forget_unused_labels(self) -> None:
        """Let `clean` have what this job no longer needs."""
        for label in set(self._memory.values) - self._labels:
            self._memory.set(label, None)

    def _hold(self) -> None:
        """Keep `clean` from removing what this job relies on, and find out whether the work folder can be used."""
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
