"""Quantities that are read from the ledger of a measured batch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from facepipe.bench import batch, scaling
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.journal import line_of


def write(work: Path, name: str, *entries: tuple[str, float]) -> None:
    journal = BatchPaths(work).journal / f"{name}.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    extra: dict[str, dict[str, Any]] = {"done": {"stages": {"render": [2, 1, 0.5, 125]}}}
    lines = [line_of("process", {"time": 0.0})]
    lines += [line_of("item", {"state": state, "time": time, **extra.get(state, {})}) for state, time in entries]
    journal.write_bytes(b"".join(b"\n" + line for line in lines))


def test_the_span_of_a_worker_is_from_its_first_item_to_its_last(tmp_path: Path) -> None:
    write(tmp_path, "one", ("begun", 10.0), ("done", 11.0), ("begun", 11.5), ("done", 14.0))
    write(tmp_path, "two", ("begun", 10.5), ("done", 12.0))
    write(tmp_path, "lead")
    assert sorted(batch._spans(BatchPaths(tmp_path))) == [1.5, 4.0]


def test_only_executed_segments_count_as_rendered(tmp_path: Path) -> None:
    write(tmp_path, "one", ("begun", 10.0), ("done", 11.0), ("failed", 12.0))
    write(tmp_path, "two", ("done", 12.0))
    assert scaling._rendered(tmp_path) == 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this platform does not bind processes to cores")
def test_affinity_is_set_and_restored() -> None:
    before = os.sched_getaffinity(0)
    with scaling._kept_on(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
    with scaling._kept_on(None):
        assert os.sched_getaffinity(0) == before
