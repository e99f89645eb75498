"""What a batch prints while it runs, in a log and on a terminal, and at its end."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from facepipe.batch import progress as batch_progress
from facepipe.batch.plan import Checked
from facepipe.batch.progress import BatchProgress
from facepipe.console import PlainLines, Terminal
from facepipe.engine.events import Batch, BatchSummary, Event, Failed, ItemDone, Remarked
from facepipe.engine.item_log import DONE, FAILED, Entry
from facepipe.weights.loaded import load_once, loading_seconds
from tests.batch.conftest import Bench
from tests.faults.program import CODE, ROOT
from tests.pipeline.scene import Scene


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def counts(done: int, failed: int = 0, rate: float | None = None) -> Batch:
    left = None if rate is None else round((10 - done) / rate, 1)
    return Batch(
        items=10, done=done, made=done, failed=failed, remaining=10 - done - failed, seconds=1.0, items_per_second=rate,
        seconds_left=left,
    )  # fmt: skip


SUMMARY: Mapping[str, Any] = {
    "dry_run": False, "items": 10, "done": 8, "made": 8, "failed": 2, "claimed_elsewhere": 0, "remaining": 0,
    "seconds": 65.0, "exit_code": 4, "failure_classes": {"no-face": 1, "input": 1}, "remarks": {"hdr": 3},
}  # fmt: skip


def failure(number: int) -> Failed:
    return Failed(stage="s", label=f"item {number}", failure_class="input", permanent=True, message="is bad", detail="")


def logged(events: list[tuple[float, Event]], clock: list[float], *, verbose: bool = False) -> list[str]:
    stream = io.StringIO()
    sink = PlainLines(stream, verbose=verbose)
    for after, event in events:
        clock[0] += after
        sink(event)
    return stream.getvalue().splitlines()


def test_a_log_has_a_line_of_counts_every_few_seconds(clock: list[float]) -> None:
    events: list[tuple[float, Event]] = [(0, counts(0)), *((1.0, counts(n // 4, rate=0.25)) for n in range(1, 21))]
    lines = logged(events, clock)
    assert lines[0] == "0/10 items"
    assert lines[1] == "1/10 items, 15.0 items/min, 36 s left"
    assert len(lines) in (4, 5)


def test_counts_that_do_not_change_are_repeated_once_a_minute(clock: list[float]) -> None:
    assert len(logged([(1.0, counts(3)) for _ in range(180)], clock)) == 3


def test_items_have_lines_with_v_alone_and_failures_always(clock: list[float]) -> None:
    events: list[tuple[float, Event]] = [
        (0, counts(0)),
        (1, ItemDone(item="x", label="turn a", output="out/a.mp4", seconds=2.0)),
        (0, Remarked(stage="", label="turn a", code="hdr", message="driver: HDR, tone-mapped")),
        (0, failure(1)),
        (0, BatchSummary(**SUMMARY)),
    ]
    assert logged(events, clock) == [
        "0/10 items",
        "failed item 1: is bad",
        "8 of 10 items done (made 8, failed 2) in 65 s",
        "failures: no-face 1, input 1",
        "items with notes: hdr 3; `facepipe stats --notes` lists them",
    ]
    assert logged(events, clock, verbose=True)[1:3] == [
        "made out/a.mp4 in 2.0 s",
        "note: turn a: driver: HDR, tone-mapped",
    ]


def test_a_thousand_failures_do_not_bury_the_counts(clock: list[float]) -> None:
    lines = logged([(0, counts(0)), *((0.0, failure(number)) for number in range(1000))], clock)
    assert len(lines) == 21


def test_a_terminal_shows_a_bar_of_the_batch() -> None:
    stream = io.StringIO()
    with Terminal(Console(file=stream, force_terminal=True, width=100)) as sink:
        sink(counts(0))
        sink(counts(4, 1, rate=2.0))
        sink(BatchSummary(**SUMMARY))
    text = stream.getvalue()
    assert "4/10 items, 1 failed, 2.0 items/s, 3.0 s left" in text
    assert "━" in text
    assert "failures: no-face 1, input 1" in text


def test_loading_and_starting_are_not_counted_as_work(clock: list[float]) -> None:
    seen: list[Event] = []
    progress = BatchProgress(seen.append, workers=2)
    progress.begin(Checked(mine=11, wanted=11), float("inf"))
    clock[0] += 60.0  # workers start, and load networks
    assert isinstance(before := progress.event(), Batch)
    assert (before.items_per_second, before.seconds_left) == (None, None)
    record = {"label": "a", "out": "a", "seconds": 50.0, "busy": 10.0, "warm": False}
    progress.count("a", Entry(1, DONE, "", "r", 1, False, ""), record, 2)
    after = progress.event()
    assert isinstance(after, Batch)
    assert after.items_per_second == pytest.approx(0.2)
    assert after.seconds_left == pytest.approx(50.0)
    clock[0] += 20.0
    assert isinstance(later := progress.event(), Batch)
    assert later.seconds_left == pytest.approx(30.0)
    assert [event.event for event in seen] == ["item-done"]


def test_a_failure_of_a_moment_has_no_say_in_the_rate_if_nothing_was_begun(clock: list[float]) -> None:
    progress = BatchProgress(lambda _: None, workers=1)
    progress.begin(Checked(mine=2, wanted=2), float("inf"))
    progress.count("a", Entry(1, FAILED, "", "r", 1, True, "input"), {"label": "a", "class": "input"}, 2)
    assert isinstance(event := progress.event(), Batch)
    assert (event.failed, event.items_per_second) == (1, None)


CLOCK = SimpleNamespace(seconds=0.0)


def slow_load(path: Path) -> str:
    CLOCK.seconds += 1
    return path.read_text()


def nested_load(path: Path) -> str:
    return load_once(slow_load, path)


def test_the_time_of_loading_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facepipe.weights.loaded.time", SimpleNamespace(monotonic=lambda: CLOCK.seconds))
    (tmp_path / "weights").write_text("x")
    before = loading_seconds()
    for _ in range(3):
        load_once(nested_load, tmp_path / "weights")
    assert loading_seconds() - before == pytest.approx(1)


def test_workers_record_how_long_an_item_kept_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bench = Bench(tmp_path)
    bench.write(a="one", b="two", c="three")
    run = bench.prepare([{"source": f"{name}.txt", "seconds": 0.05} for name in "abc"], workers=1)
    records = []
    count = batch_progress.BatchProgress.count

    def counted(self: BatchProgress, name: str, entry: Entry, record: Mapping[str, Any], retries: int) -> None:
        records.extend([record] if entry.state == DONE else [])
        count(self, name, entry, record, retries)

    monkeypatch.setattr(batch_progress.BatchProgress, "count", counted)
    settled = run.lead(run.check())
    assert settled.made == 3
    assert [record["warm"] for record in records] == [False, True, True]
    assert all(record["busy"] >= 0.05 for record in records)


@pytest.mark.slow
def test_a_real_batch_on_a_terminal_shows_bar_and_summary_and_names_its_results(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text(f"source,driving,output\n{scene.portrait},{scene.motion},o.mp4\n")
    ours, theirs = pty.openpty()
    words = ["batch", "jobs.csv", "--set", "size=64", "-j", "1", "--work", str(scene.work)]
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, *words], stderr=theirs, stdout=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the terminal is closed
            break
    assert child.stdout
    assert child.stdout.read() == b"o.mp4\n"
    assert child.wait() == 0
    text = shown.decode()
    assert "0/1 items" in text
    assert "━" in text
    assert re.search(r"1 of 1 items done \(made 1\) in ", text)
