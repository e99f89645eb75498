"""The work folder: decides which stages must run and why, and runs them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from facepipe.engine.artefact import Artefact, Output, Pending
from facepipe.engine.digest import DigestCache, Signature, signature
from facepipe.engine.disk import as_disk_error, disk_errors, free_bytes, make_folder
from facepipe.engine.draft import draft_beside
from facepipe.engine.fingerprint import Identity, difference, json_of_params
from facepipe.engine.stage import Stage, StageRun, WeightFile, missing_and_foreign
from facepipe.engine.store import Store
from facepipe.errors import DiskError, FacepipeError, InputError, MemoryLimitError, PrecheckError

P = TypeVar("P")

Input = Path | Output | Artefact | Pending
Inputs = Mapping[str, Input | Sequence[Input]]

DONE = "done"
FORCED = "forced"
DIGESTS = "digests/files.jsonl"
ARRAYS = "arrays"
"""Folder of the files that hold the pixels of arrays which a caller gave."""
CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Work files of facepipe; `facepipe clean` removes them.\n"


@dataclass(frozen=True)
class Decision(Generic[P]):
    """The planned action for a stage and its reason. Deciding has no side effects."""

    stage: Stage[P]
    label: str
    params: P
    reason: str
    """done | new | input changed (…) | settings changed (…) | weights changed (…) | program changed | incomplete |
    forced | waits for …"""
    identity: Identity | None = None
    """None while an input is pending."""
    artefact: Artefact | None = None
    """The finished result if the reason is "done" or "forced"."""
    paths: Mapping[str, Path | tuple[Path, ...]] | None = None
    watched: tuple[tuple[Path, Signature], ...] = ()
    weights: Mapping[str, Path] | None = None

    @property
    def done(self) -> bool:
        """True if the result is there and need not be made."""
        return self.reason == DONE

    @property
    def fingerprint(self) -> str | None:
        """The name of the result; None while an input is pending."""
        return self.identity.fingerprint if self.identity else None


class Workspace:
    """A work folder. Construction does not access the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.store = Store(self.root)
        self.digests = DigestCache(self.root / DIGESTS)

    def decide(
        self,
        stage: Stage[P],
        inputs: Inputs,
        params: P,
        weights: Mapping[str, WeightFile] | None = None,
        *,
        label: str = "",
        previous: Identity | None = None,
        force: bool = False,
    ) -> Decision[P]:
        """Decide whether a stage must run, and why.

        `previous` is the identity of the same piece of work in its last run; the reason names the difference. Raises
        InputError if an input cannot be read, and RecordError if another version of the program wrote the result.
        """
        label, weights = label or stage.name, weights or {}
        _check_names(stage, inputs, params, weights)
        waiting = [item.label for value in inputs.values() for item in _items(value) if isinstance(item, Pending)]
        if waiting:
            return Decision(stage, label, params, f"waits for {waiting[0]}")
        paths, digests, watched = self._look(inputs)
        identity = Identity(
            stage.name, stage.version, json_of_params(params), digests, {name: w.sha256 for name, w in weights.items()}
        )
        artefact = self.store.find(identity)
        return Decision(
            stage,
            label,
            params,
            self._reason(identity, artefact, previous, force),
            identity,
            artefact,
            paths,
            watched,
            {name: weight.path for name, weight in weights.items()},
        )

    def execute(self, decision: Decision[P], advance: Callable[[int], None] | None = None) -> Artefact:
        """Run a stage as decided and return its result, which another process may have published first.

        Raises the errors of the stage, DiskError, MemoryLimitError, and InputError if an input changed meanwhile.
        """
        stage, identity = decision.stage, decision.identity
        assert identity is not None, f"{decision.label} {decision.reason}"
        forced = decision.reason == FORCED
        if not forced and (found := self.store.find(identity)):
            return found
        self.prepare()
        started = time.monotonic()
        with self.store.draft(identity) as draft:
            run = StageRun(
                decision.paths or {}, draft, decision.params, decision.weights or {}, advance or (lambda _frames: None)
            )
            with self.stage_errors(stage, run):
                facts = stage.function(run)
            _check_unchanged(decision.watched)
            seconds = time.monotonic() - started
            return self.store.publish(draft, identity, stage.outputs, facts, seconds=seconds, replace=forced)

    def prepare(self) -> None:
        """Create the work folder and tag it so that backup programs skip it. Raises DiskError."""
        tag = self.root / "CACHEDIR.TAG"
        if tag.exists():
            return
        with disk_errors(self.root):
            make_folder(self.root)
            draft = draft_beside(tag)
            try:
                draft.write_text(CACHE_TAG, "ascii")
                draft.replace(tag)
            finally:
                draft.unlink(missing_ok=True)  # left if the disk is full
        self.digests.save()

    def precheck(self, required_bytes: int = 0, *, make: bool = True) -> None:
        """Raise PrecheckError unless the work folder is writable and its disk has `required_bytes` free.

        With `make=False` a missing folder is not created; its nearest existing parent must be writable instead.
        """
        try:
            if make:
                self.prepare()
            folder = next((path for path in (self.root, *self.root.parents) if path.exists()), self.root)
            with disk_errors(folder):
                _probe(folder)
        except DiskError as error:
            raise PrecheckError([error]) from error
        free = free_bytes(folder)
        if free is not None and free < required_bytes:
            need, have = required_bytes // 2**20, free // 2**20
            message = f"the work needs {need} MiB and {str(self.root)!r} has {have} MiB free"
            raise PrecheckError([DiskError(f"{message}; free some space or choose another work folder with --work")])

    def _look(
        self, inputs: Inputs
    ) -> tuple[dict[str, Path | tuple[Path, ...]], dict[str, str | list[str]], tuple[tuple[Path, Signature], ...]]:
        """Return the paths and digests of the inputs by name, and the signatures of files outside the store."""
        paths: dict[str, Path | tuple[Path, ...]] = {}
        digests: dict[str, str | list[str]] = {}
        watched: dict[Path, Signature] = {}
        for name, value in inputs.items():
            outputs = [self._as_output(item, watched) for item in _items(value)]
            if isinstance(value, Sequence):
                paths[name] = tuple(output.path for output in outputs)
                digests[name] = [output.sha256 for output in outputs]
            else:
                paths[name], digests[name] = outputs[0].path, outputs[0].sha256
        return paths, digests, tuple(watched.items())

    def _as_output(self, item: Input, watched: dict[Path, Signature]) -> Output:
        if isinstance(item, Path):
            path = item.absolute()
            sha256, watched[path] = self.digests.look(path)
            return Output(path, sha256)
        assert not isinstance(item, Pending)
        return item.sole_output() if isinstance(item, Artefact) else item

    def _reason(self, identity: Identity, artefact: Artefact | None, previous: Identity | None, force: bool) -> str:
        if artefact is not None:
            return FORCED if force else DONE
        if self.store.was_begun(identity):
            return "incomplete"
        return difference(previous, identity) if previous else "new"

    def run_of(
        self, stage: Stage[P], inputs: Inputs, params: P, weights: Mapping[str, WeightFile] | None = None
    ) -> StageRun[P]:
        """Return what a stage function would see, without a folder to write to. Raises InputError."""
        _check_names(stage, inputs, params, weights or {})
        paths, _, _ = self._look(inputs)
        files = {name: weight.path for name, weight in (weights or {}).items()}
        return StageRun(paths, Path(os.devnull), params, files, lambda _frames: None)

    @contextmanager
    def stage_errors(self, stage: Stage[P], run: StageRun[P]) -> Iterator[None]:
        """Turn what a stage raises for want of memory or disk into errors that a person can act on."""
        try:
            yield
        except MemoryError as error:
            remedy = "close other programs, or choose a smaller size or fewer jobs"
            raise MemoryLimitError(f"stage {stage.name} ran out of memory; {remedy}") from error
        except FacepipeError as error:
            # Hide the draft's path: it no longer exists when the message is read.
            error.args = tuple(_without(run.output, self.root, one) for one in error.args)
            raise
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryLimitError(f"stage {stage.name} ran out of memory; run fewer jobs") from error
            if disk_error := as_disk_error(error, self.root):
                raise disk_error from error
            raise


def _probe(folder: Path) -> None:
    """Create and remove a file. Raises OSError with the folder as its file name."""
    probe = draft_beside(folder / "probe")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        error.filename = str(folder)
        raise


def _without(draft: Path, root: Path, message: Any) -> Any:
    return message.replace(f"{draft}{os.sep}", f"{root}: ") if isinstance(message, str) else message


def _items(value: Input | Sequence[Input]) -> Sequence[Input]:
    return value if isinstance(value, Sequence) else [value]


def _check_names(stage: Stage[P], inputs: Inputs, params: P, weights: Mapping[str, WeightFile]) -> None:
    """Raise TypeError if the arguments do not match the stage's declaration, which is a bug of the caller."""
    for kind, declared, given in (("input", stage.inputs, set(inputs)), ("weight", stage.weights, set(weights))):
        missing, foreign = missing_and_foreign(declared, given)
        if missing or foreign:
            raise TypeError(f"stage {stage.name}: {kind}s missing {missing}, undeclared {foreign}")
    for name, value in inputs.items():
        if isinstance(value, Sequence) != (not {f"{name}*", f"{name}*?"}.isdisjoint(stage.inputs)):
            raise TypeError(f"stage {stage.name}: input {name} got {value!r}; exactly inputs with * take a sequence")
    if not isinstance(params, stage.params):
        raise TypeError(f"stage {stage.name} expects {stage.params.__name__}, got {params!r}")


def _check_unchanged(watched: tuple[tuple[Path, Signature], ...]) -> None:
    for path, before in watched:
        if signature(path) != before:
            raise InputError(f"{str(path)!r} changed while it was in use; run again when it is complete")
