"""The loop with trivial stages: real engines, real processes, real kills."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from facepipe.batch.engines import ENGINES, EngineName
from facepipe.batch.joblist import Shard
from facepipe.batch.limits import Limits
from facepipe.batch.overview_reader import read_overview
from facepipe.engine.claim import Claims
from facepipe.engine.events import Batch, Failed
from facepipe.errors import ExitCode
from tests.batch.conftest import Bench

PACKAGES = {"loky": "joblib", "dask": "distributed", "ray": "ray"}


def lines(work: Path, state: str) -> list[str]:
    """Return the items of the item log's lines of a state, one a line."""
    found = []
    for journal in (work / "batch" / "journal").glob("*.jsonl"):
        for line in journal.read_text().splitlines():
            if line and (entry := json.loads(line))[1].get("state") == state:
                found.append(entry[0])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_give_the_same_and_survive_a_killed_worker(bench_of_engines: Bench, engine: EngineName) -> None:
    bench = bench_of_engines
    if importlib.util.find_spec(PACKAGES[engine]) is None:
        pytest.skip(f"{PACKAGES[engine]} is not installed")
    names = [f"t{number}" for number in range(8)]
    bench.write(**{name: f"text {name}" for name in names}, bad="bad")
    rows = [{"source": f"{name}.txt"} for name in (*names, "bad")]
    kills = engine != "ray"  # survived too, but ray takes a minute to see that a worker is gone
    if kills:
        rows[2]["kill"] = str(bench.folder / "mark")
    _, settled = bench.run(rows, engine=engine)
    assert (settled.done, settled.failed, settled.exit_code) == (8, 1, ExitCode.FAILED_ITEMS)
    assert bench.outputs() == {name: f"text {name}"[::-1] for name in names}
    assert (bench.folder / "mark").exists() is kills
    failed = [event for event in bench.emitted if isinstance(event, Failed)]
    assert [(one.failure_class, one.permanent, one.detail) for one in failed] == [
        ("input", True, "tail of a child's stderr")
    ]
    again, settled = bench.run(rows, engine=engine)
    assert (again.wanted, settled.made, settled.failed) == (0, 0, 1)
    assert sum(isinstance(event, Batch) for event in bench.emitted) >= 1


def test_what_is_done_is_not_begun_again_and_what_changed_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(a="one", b="two", c="three")
    rows = [{"source": f"{name}.txt"} for name in "abc"]
    bench.run(rows)
    (bench.folder / "b.txt").write_text("other")
    (bench.folder / "out" / "c.txt").unlink()
    checked, settled = bench.run(rows)
    assert dict(checked.reasons) == {"done": 1, "input changed": 1, "result missing": 1}
    assert settled.made == 2
    assert bench.outputs() == {"a": "eno", "b": "rehto", "c": "eerht"}
    monkeypatch.setenv("FACEPIPE_TEST_PROGRAM", "a.txt")
    assert bench.prepare(rows).check().reasons == {"program or weights changed": 1, "done": 2}
    monkeypatch.setenv("FACEPIPE_TEST_SETTINGS", "new")
    assert bench.prepare(rows).check().reasons == {"settings changed": 3}


def test_shards_cover_all_items_once_whatever_their_number(bench: Bench) -> None:
    bench.write(**{f"t{number}": str(number) for number in range(12)})
    rows = [{"source": f"t{number}.txt"} for number in range(12)]
    first, _ = bench.run(rows, shard=Shard(0, 2), workers=1)
    assert 0 < first.mine < 12
    for rank in range(3):
        bench.run(rows, shard=Shard(rank, 3), workers=1)
    assert sorted(bench.outputs()) == sorted(f"t{number}" for number in range(12))
    assert len(lines(bench.work, "begun")) == 12


def test_two_runs_on_one_folder_share_the_work(bench: Bench) -> None:
    bench.write(**{f"t{number}": str(number) for number in range(16)})
    rows = [{"source": f"t{number}.txt", "seconds": 0.1, "times": 1} for number in range(16)]
    runs = [bench.prepare(rows, workers=1) for _ in range(2)]
    settled = {}

    def lead(number: int) -> None:
        settled[number] = runs[number].lead(runs[number].check())

    threads = [threading.Thread(target=lead, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bench.outputs()) == 16
    assert sorted(lines(bench.work, "begun")) == sorted(set(lines(bench.work, "begun")))
    assert {one.exit_code for one in settled.values()} <= {ExitCode.DONE, ExitCode.TRY_AGAIN}
    assert sum(one.made for one in settled.values()) == 16


def test_an_item_that_kills_its_worker_is_given_up(bench: Bench) -> None:
    bench.write(a="one", b="two")
    rows = [{"source": "a.txt", "kill": "always"}, {"source": "b.txt"}]
    _, settled = bench.run(rows, limits=Limits(retries=1))
    assert (settled.done, settled.failed, settled.exit_code) == (1, 1, ExitCode.FAILED_ITEMS)
    failed = next(event for event in bench.emitted if isinstance(event, Failed))
    assert (failed.failure_class, failed.permanent) == ("memory", False)
    assert "killed 2 times" in failed.message


def test_limits_stop_the_run(bench: Bench) -> None:
    bench.write(**{f"bad{number}": "bad" for number in range(10)})
    rows = [{"source": f"bad{number}.txt"} for number in range(10)]
    _, settled = bench.run(rows, workers=1, limits=Limits(failures=2))
    assert settled.exit_code == ExitCode.FAILURE_LIMIT
    assert 2 <= settled.failed < 10
    assert settled.remaining == 10 - settled.failed


def test_failures_for_good_are_left_alone_until_asked_for(bench: Bench) -> None:
    bench.write(a="bad")
    rows = [{"source": "a.txt"}]
    bench.run(rows)
    assert bench.prepare(rows).check().wanted == 0
    assert bench.prepare(rows, again=frozenset({"input"})).check().wanted == 1
    assert bench.prepare(rows, again=frozenset({"encoder"})).check().wanted == 0
    bench.write(a="good now")
    _, settled = bench.run(rows)
    assert settled.exit_code == ExitCode.DONE


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TRY_AGAIN)]
)
def test_signals_end_the_run_in_order(bench: Bench, number: int, code: ExitCode) -> None:
    bench.write(**{f"t{number}": str(number) for number in range(4)})
    rows = [{"source": f"t{number}.txt", "seconds": 0.05, "times": 100} for number in range(4)]
    run = bench.prepare(rows, workers=2)

    def interrupt() -> None:
        while not lines(bench.work, "begun"):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    settled = run.lead(run.check())
    thread.join()
    assert settled.exit_code == code
    assert lines(bench.work, "dropped")
    assert list(bench.work.rglob("*.draft")) == []
    assert list(Claims(bench.work / "batch" / "claims").names()) == []
    assert bench.prepare(rows).check().wanted == 4


def test_workers_do_not_outlive_a_leader_that_was_killed(bench: Bench) -> None:
    root = Path(__file__).parents[2]
    leader = subprocess.Popen(
        [sys.executable, "-m", "tests.batch.orphans", str(bench.folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    while len(lines(bench.work, "begun")) < 2:
        assert leader.poll() is None
        time.sleep(0.05)
    leader.kill()
    leader.wait()
    while read_overview(bench.work).workers:
        time.sleep(0.05)
    assert len(lines(bench.work, "dropped")) == 2
    assert list(Claims(bench.work / "batch" / "claims").names()) == []


def test_all_faults_are_told_before_anything_is_made(bench: Bench) -> None:
    bench.write(a="one")
    rows = [
        {"source": "a.txt"},
        {"source": "a.txt", "wrong": "1"},
        {"source": "nowhere.txt"},
        {"driving": "a.txt", "output": "x"},
        {"source": "a.txt", "output": "{nothing}"},
    ]
    checked = bench.prepare([*rows, {"source": "a.txt"}]).check()
    told = "\n".join(map(str, checked.problems))
    for expected in (
        "no such option",
        "no such file",
        "invalid placeholder",
        "twice",
        "also the result of an earlier row",
    ):
        assert expected in told
    assert not bench.work.exists()


def test_two_items_for_one_place_are_refused(bench: Bench) -> None:
    bench.write(a="one")
    rows = [{"source": "a.txt", "seconds": 0}, {"source": "a.txt", "seconds": 0.001}]
    assert "also the result of an earlier row" in str(bench.prepare(rows).check().problems[0])
