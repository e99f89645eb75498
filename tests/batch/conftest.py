"""A folder of texts, and a batch over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from facepipe.batch.engines import Engine, EngineName
from facepipe.batch.joblist import JobList, Shard
from facepipe.batch.keeping import Keep
from facepipe.batch.limits import Limits
from facepipe.batch.outcome import Settled
from facepipe.batch.plan import Checked
from facepipe.batch.run import Run
from facepipe.engine.events import Event
from tests.batch.trivial import Texts


@dataclass
class Bench:
    """Runs batches of texts in a folder and records events."""

    folder: Path
    emitted: list[Event] = field(default_factory=list)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name}.txt").write_text(text)

    def outputs(self) -> dict[str, str]:
        return {path.stem: path.read_text() for path in sorted((self.folder / "out").glob("*.txt"))}

    def prepare(
        self,
        rows: Sequence[Mapping[str, Any]] | Callable[[], Any],
        *,
        engine: EngineName = "loky",
        workers: int = 2,
        limits: Limits | None = None,
        shard: Shard | None = None,
        keep: Keep = "all",
        again: frozenset[str] = frozenset(),
        stale_seconds: float = 120.0,
    ) -> Run:
        listed = JobList(
            "texts",
            rows if callable(rows) else lambda: enumerate(rows, start=1),
            Texts(),
            command="turn",
            template="out/{source}.{ext}",
            shard=shard or Shard(),
        )
        return Run(
            listed,
            self.work,
            self.folder,
            Engine(engine, workers),
            limits=limits or Limits(),
            events=self.emitted.append,
            keep=keep,
            again=again,
            stale_seconds=stale_seconds,
        )

    def run(self, rows: Sequence[Mapping[str, Any]] | Callable[[], Any], **options: Any) -> tuple[Checked, Settled]:
        run = self.prepare(rows, **options)
        checked = run.check()
        return checked, run.lead(checked)


@pytest.fixture
def bench_of_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Batches whose engines start their own workers."""
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


@pytest.fixture
def bench(bench_of_engines: Bench, preloaded_workers: None) -> Bench:
    """Batches whose workers are forked from a process that has loaded their modules."""
    return bench_of_engines
