"""Lists that change between runs: what the newest run of each list says counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facepipe.batch.overview_reader import read_overview
from facepipe.batch.pace import Pace
from facepipe.batch.rates import Rates
from facepipe.engine.item_log import ItemLog
from tests.batch.conftest import Bench
from tests.faults.program import run


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preloaded_workers: None) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


def rows(names: str) -> list[dict[str, Any]]:
    return [{"source": f"{name}.txt"} for name in names]


def test_rows_taken_out_of_a_list_count_no_more(bench: Bench) -> None:
    bench.write(a="one", b="two", c="three", d="bad", e="bad", f="six")
    bench.run(rows("abcdef"), workers=1)
    bench.run(rows("abd"), workers=1)
    overview = read_overview(bench.work)
    assert (overview.total, overview.done, overview.failed, overview.waiting) == (3, 2, 1, 0)
    assert overview.dropped_from_lists == 3
    assert [one.label for one in overview.failures.values()] == ["turn d.txt"]
    bench.run(rows("ab"), workers=1)
    assert read_overview(bench.work).failures == {}


def test_a_list_of_finished_items_is_the_newest_too(bench: Bench) -> None:
    bench.write(a="one", b="two")
    bench.run(rows("ab"), workers=1)
    checked, _ = bench.run(rows("a"), workers=1)
    assert checked.wanted == 0
    overview = read_overview(bench.work)
    assert (overview.total, overview.lists["texts"]["items"]) == (1, 1)


def test_the_newest_of_older_journals_names_the_list(bench: Bench) -> None:
    """Journals of older versions have no saved lists, and are not read in the order of their times."""
    for number, (items, time) in enumerate([(3, 200.0), (4, 100.0)]):
        log = ItemLog(bench.work / "batch" / "journal", about={"role": "lead", "run": str(number)})
        log.path = log.path.with_name(f"{number}.jsonl")
        log.append(f"run {number}", {"jobs": "texts", "items": items, "workers": 1})
        log.close()
        log.path.write_text(log.path.read_text().replace('"time":', f'"time":{time},"was":'))
    overview = read_overview(bench.work)
    assert (overview.lists["texts"]["items"], overview.total) == (3, 3)


def test_retry_makes_nothing_that_left_the_list(bench: Bench) -> None:
    bench.write(a="one", e="bad")
    bench.run(rows("ae"), workers=1)
    bench.run(rows("a"), workers=1)
    outcome = run("retry", bench.work)
    assert (outcome.exit_code, outcome.stderr) == (0, "nothing failed\n")


def test_the_rate_of_an_ended_run_is_taken_from_its_begin_to_its_end() -> None:
    rates = Rates()
    rates.take_run("r", {"jobs": "x", "workers": 4, "time": 1000.0})
    for time in (1011.0, 1011.2, 1011.8):
        rates.end_item("r", {"time": time, "seconds": 10.0, "busy": 5.0, "warm": False})
    rates.take_run("r", {"ended": True, "time": 1012.0})
    assert rates.items_per_second() == pytest.approx(0.25)


def test_the_rate_of_a_live_run_is_that_of_its_workers() -> None:
    pace = Pace()
    assert pace.items_per_second(2) is None
    pace.add({"seconds": 30.0, "busy": 12.0, "warm": False})
    assert pace.items_per_second(2) == pytest.approx(2 / 12)
    for _ in range(2):
        pace.add({"seconds": 8.0, "busy": 8.0, "warm": True})
    assert pace.items_per_second(2) == pytest.approx(2 / 8)
