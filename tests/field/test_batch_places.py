"""Folders that vanish or become files while a batch runs: class disk, said plainly, and the same command goes on."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from facepipe.batch.commands import Commands
from facepipe.batch.item import Item
from facepipe.batch.worker import failure_record
from facepipe.config import load_settings
from facepipe.engine import clean
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import process_token
from facepipe.engine.item_log import ItemLog
from facepipe.engine.lock import FolderLock
from facepipe.engine.run_files import remove_dead_run_files, save_offsets
from facepipe.errors import DiskError, ExitCode
from tests.batch.conftest import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preloaded_workers: None) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


def test_a_work_folder_that_is_removed_stops_the_batch_and_the_same_command_goes_on(bench: Bench) -> None:
    names = [f"t{number}" for number in range(6)]
    bench.write(**{name: f"text {name}" for name in names})
    rows = [{"source": f"{name}.txt", "seconds": 0.02, "times": 10} for name in names]
    run = bench.prepare(rows, workers=2)

    def remove() -> None:
        while not bench.outputs():
            time.sleep(0.01)
        shutil.rmtree(bench.work, ignore_errors=True)

    thread = threading.Thread(target=remove)
    thread.start()
    settled = run.lead(run.check())
    thread.join()
    assert settled.exit_code == ExitCode.FAILED_ITEMS
    assert "work folder" in settled.message
    assert "removed or replaced" in settled.message
    assert "bug" not in settled.message
    _, settled = bench.run(rows, workers=2)
    assert settled.exit_code == ExitCode.DONE
    assert bench.outputs() == {name: f"text {name}"[::-1] for name in names}


def test_a_journal_that_is_gone_takes_no_more_lines(tmp_path: Path) -> None:
    log = ItemLog(tmp_path / "journal", about={})
    log.append("a", {"state": "begun"})
    assert not log.is_lost
    log.path.unlink()
    with pytest.raises(DiskError, match="was removed"):
        log.append("a", {"state": "done"})


def test_a_results_folder_that_is_a_file_is_a_fault_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    item = Item("reenact", {"source": "a.png", "driving": "b.mp4"}, {}, "out/c.mp4")
    with pytest.raises(DiskError, match="a file lies where a folder is needed") as found:
        Commands(load_settings()).make(item, tmp_path, lambda identity, body: None)
    record = failure_record(found.value)
    assert (record["class"], record["permanent"]) == ("disk", False)


def test_shared_files_go_when_the_other_run_is_gone(bench: Bench) -> None:
    """Beside a sleeping run nothing may be removed; the run that ends last, or the same command again, does it."""
    bench.write(a="one")
    rows: list[dict[str, Any]] = [{"source": "a.txt"}, {"source": "a.txt", "seconds": 0.001, "output": "out/b.txt"}]
    sleeping = bench.prepare(rows, keep="none")
    checked = sleeping.check()
    run = bench.prepare(rows, keep="none", workers=1)
    settled = run.lead(run.check())
    lock = FolderLock(bench.work, shared=True)
    assert run.tidy(settled) is False
    assert list(bench.work.glob("turn/*/*"))
    lock.release()
    settled = sleeping.lead(checked)
    assert (settled.made, settled.exit_code) == (0, ExitCode.DONE)
    assert sleeping.tidy(settled) is True
    assert not list(bench.work.glob("turn/*/*"))


def run_file(work: Path, name: str, token: str) -> Path:
    paths = BatchPaths(work)
    save_offsets(paths.offsets(name), token, {"a.jsonl": 12})
    return paths.offsets(name)


def test_files_of_killed_leaders_are_removed(tmp_path: Path) -> None:
    machine, _, birth, noise = process_token().split(" ")
    dead = run_file(tmp_path, "dead", f"{machine} 4194304 {birth} {noise}")
    live = run_file(tmp_path, "live", process_token())
    away = run_file(tmp_path, "away", f"elsewhere.x.y 12 {birth} {noise}")
    old = run_file(tmp_path, "old", "")
    old.write_text(json.dumps({"a.jsonl": 12}))  # as older versions wrote it
    stop = BatchPaths(tmp_path).stop("dead")
    stop.touch()
    remove_dead_run_files(BatchPaths(tmp_path))
    assert sorted(path.name for path in dead.parent.iterdir()) == ["away.json", "live.json", "old.json"]
    assert {path.name for path in clean(tmp_path).paths} == {"away.json", "old.json"}
    assert live.exists()
    assert not away.exists()


def test_a_run_removes_the_files_of_one_that_was_killed(bench: Bench) -> None:
    machine, _, birth, noise = process_token().split(" ")
    left = run_file(bench.work, "dead", f"{machine} 4194304 {birth} {noise}")
    bench.write(a="one")
    bench.run([{"source": "a.txt"}], workers=1)
    assert list(left.parent.iterdir()) == []
