"""`status` needs only the folder; `clean` removes useless results and leaves files of others alone."""

from pathlib import Path

import pytest

from facepipe.engine import clean, read_status
from facepipe.engine.draft import this_host
from facepipe.engine.lock import FolderLock
from facepipe.errors import BusyError
from tests.engine.repetition import made, run_all


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder after two runs with different settings, with a dead draft, a foreign record and files of others."""
    (tmp_path / "text.txt").write_text("hello\n")
    work = tmp_path / "work"
    run_all(work, tmp_path / "text.txt")
    run_all(work, tmp_path / "text.txt", times=3)
    shard = work / "repeat" / "ab"
    (shard / f"{'ab' * 32}.{this_host()}-{2**22 + 1}-00.draft").mkdir(parents=True)
    for name, record in (("ab" + "c" * 62, '{"schema": 2}'), ("ab" + "d" * 62, "{")):
        (shard / name).mkdir()
        (shard / name / "record.json").write_text(record)
    (work / "repeat" / "notes.txt").write_text("mine")
    (work / "photos" / "2024").mkdir(parents=True)
    (work / "photos" / "2024" / "a.jpg").write_text("mine")
    return work


def names(work: Path) -> set[str]:
    return {path.name for path in work.rglob("*") if path.is_file()}


def test_status_counts(work: Path) -> None:
    status = read_status(work)
    assert (status.jobs, [stage.stage for stage in status.stages]) == (1, ["join", "repeat"])
    join, repeat = status.stages
    assert (join.artefacts, join.unreferenced) == (2, 1)
    assert (repeat.artefacts, repeat.unreferenced, repeat.bytes) == (4, 2, 2 * 2 * 8 + 2 * 3 * 8)
    assert (repeat.interrupted, repeat.running, repeat.foreign, repeat.damaged) == (1, 0, 1, 1)


def test_status_of_nothing(tmp_path: Path) -> None:
    assert read_status(tmp_path / "gone").stages == ()
    assert clean(tmp_path / "gone").paths == ()


def test_clean_removes_only_useless_results(work: Path, tmp_path: Path) -> None:
    planned = clean(work, dry_run=True)
    assert len(planned.paths) == 3
    assert clean(work) == planned
    assert clean(work).paths == ()
    assert sum(stage.artefacts for stage in read_status(work).stages) == 6


def test_clean_unreferenced_keeps_what_the_last_run_used(work: Path, tmp_path: Path) -> None:
    assert len(clean(work, unreferenced=True).paths) == 3 + 3
    joined = made(run_all(work, tmp_path / "text.txt", times=3))
    assert joined.path("joined.txt").read_text() == "\n".join(f"{p}:hello\n" * 3 for p in range(2))
    assert {stage.unreferenced for stage in read_status(work).stages} == {0}


def test_clean_everything_leaves_files_of_others(work: Path) -> None:
    cleaned = clean(work, everything=True)
    assert cleaned.bytes > 0
    assert names(work) == {"notes.txt", "a.jpg"}
    assert {path.name for path in work.iterdir()} == {"photos", "repeat"}


def test_a_result_that_a_job_no_longer_needs_is_unreferenced(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("hello\n")
    run_all(tmp_path / "work", tmp_path / "text.txt", pieces=3)
    run_all(tmp_path / "work", tmp_path / "text.txt", pieces=2)
    assert [stage.unreferenced for stage in read_status(tmp_path / "work").stages] == [1, 1]


def test_clean_refuses_while_a_job_runs(work: Path) -> None:
    lock = FolderLock(work, shared=True)
    with pytest.raises(BusyError, match="a job is running"):
        clean(work)
    lock.release()
    clean(work)


def test_a_live_draft_is_never_removed(work: Path) -> None:
    draft = work / "repeat" / "ab" / f"{'ee' * 32}.elsewhere-1-00.draft"
    draft.mkdir()
    clean(work, everything=True)
    assert draft.is_dir()
    assert read_status(work).stages[0].running == 1
