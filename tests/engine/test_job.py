"""A job reports why each stage ran, plans without running, and runs nothing twice."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from facepipe.engine import Artefact, Job, Pending, Workspace, digest, job
from facepipe.engine.events import Done, Event, Failed, Plan, Progress, Skipped, Start, Summary
from facepipe.engine.lock import FolderLock
from facepipe.errors import BusyError, InputError
from tests.engine.repetition import REPEAT, RepeatParams, made, reasons, run_all, stage_of
from tests.users import open_to_all


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("hello\n")
    return path


def reasons_of(work: Path, text: Path, **how: Any) -> dict[str, str]:
    seen: list[Event] = []
    run_all(work, text, sink=seen.append, **how)
    return reasons(seen)


def test_every_run_has_its_reason(tmp_path: Path, text: Path) -> None:
    work = tmp_path / "work"
    assert reasons_of(work, text) == {"piece 0": "new", "piece 1": "new", "all": "new"}
    assert reasons_of(work, text) == {"piece 0": "done", "piece 1": "done", "all": "done"}
    changed = "settings changed (times: 2 -> 3)"
    assert reasons_of(work, text, times=3) == {"piece 0": changed, "piece 1": changed, "all": "input changed (pieces)"}
    text.write_text("hallo\n")
    assert set(reasons_of(work, text, times=3).values()) == {"input changed (text)", "input changed (pieces)"}
    forced = reasons_of(work, text, times=3, force=["repeat"])
    assert forced == {"piece 0": "forced", "piece 1": "forced", "all": "done"}
    assert set(reasons_of(work, text, times=3, force=["all"]).values()) == {"forced"}


def test_a_dead_draft_gives_the_reason_incomplete(tmp_path: Path, text: Path) -> None:
    joined = made(run_all(tmp_path / "work", text))
    joined.folder.rename(joined.folder.with_name(f"{joined.folder.name}.{job_host()}-{2**22 + 1}-00.draft"))
    assert reasons_of(tmp_path / "work", text) == {"piece 0": "done", "piece 1": "done", "all": "incomplete"}
    assert list((tmp_path / "work").rglob("*.draft")) == []


def job_host() -> str:
    from facepipe.engine.draft import this_host

    return this_host()


def test_a_dry_run_makes_nothing_and_reports_pending_inputs(tmp_path: Path, text: Path) -> None:
    work = tmp_path / "work"
    assert reasons_of(work, text, dry_run=True) == {"piece 0": "new", "piece 1": "new", "all": "waits for piece 0"}
    assert not work.exists()
    run_all(work, text)
    before = sorted(work.rglob("*"))
    seen: list[Event] = []
    assert isinstance(run_all(work, text, dry_run=True, sink=seen.append), Artefact)
    assert {type(event) for event in seen[1:-1]} == {Plan}
    planned = run_all(work, text, pieces=3, dry_run=True)
    assert isinstance(planned, Pending)
    assert sorted(work.rglob("*")) == before


def test_a_second_run_reads_no_input_and_writes_nothing(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "SETTLED_NS", -1)
    work = tmp_path / "work"
    first = run_all(work, text)
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*")}

    def refuse(*_: object) -> str:
        raise AssertionError("read or written")

    monkeypatch.setattr(digest, "_digest_file", refuse)
    monkeypatch.setattr("facepipe.engine.journal.JsonlJournal._append", refuse)
    monkeypatch.setattr("facepipe.engine.store.Store.draft", refuse)
    assert run_all(work, text) == first
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*")} == before


def test_events_come_in_order_and_the_summary_last(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PROGRESS_SECONDS", math.inf)  # on a loaded machine a stage may take long enough for one
    seen: list[Event] = []
    run_all(tmp_path / "work", text, sink=seen.append)
    kinds = [event.event for event in seen]
    assert kinds == ["expected", *["start", "done"] * 3, "summary"]
    lines = [json.loads(json.dumps(event.as_json())) for event in seen]
    assert all(line["schema"] == 1 and line["time"] > 0 for line in lines)
    assert lines[0]["frames"] == 4
    assert (lines[1]["label"], lines[1]["frames"], lines[2]["frames_done"]) == ("piece 0", 2, 2)
    assert {name: lines[-1][name] for name in ("made", "skipped", "failed", "frames_done", "exit_code")} == {
        "made": 3, "skipped": 0, "failed": 0, "frames_done": 4, "exit_code": 0,
    }  # fmt: skip


def test_the_fields_of_schema_1_stay(tmp_path: Path) -> None:
    common = {"schema", "event", "time"}
    stage = common | {"stage", "label"}
    about: dict[str, Any] = {"stage": "s", "label": "l"}
    why: dict[str, Any] = {"reason": "new", "fingerprint": None, "frames": None}
    expected: list[tuple[Event, set[str]]] = [
        (Plan(**about, **why), stage | set(why)),
        (Start(**about, **why), stage | set(why)),
        (Skipped(**about, **why), stage | set(why)),
        (Progress(**about, frames_done=1, frames=2), stage | {"frames_done", "frames"}),
        (
            Done(**about, fingerprint="f", seconds=1.0, frames_done=1, folder="x"),
            stage | {"fingerprint", "seconds", "frames_done", "folder"},
        ),
        (
            Failed(**about, failure_class="bug", permanent=True, message="m", detail="d"),
            stage | {"failure_class", "permanent", "message", "detail"},
        ),
        (
            Summary(dry_run=False, made=0, skipped=0, pending=0, failed=0, frames_done=0, seconds=0.0, exit_code=0),
            common | {"dry_run", "made", "skipped", "pending", "failed", "frames_done", "seconds", "exit_code"},
        ),
    ]
    for event, names in expected:
        assert set(event.as_json()) == names


def test_progress_events_are_rate_limited(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Event] = []
    run_all(tmp_path / "a", text, times=1000, pieces=1, sink=seen.append)
    assert sum(isinstance(event, Progress) for event in seen) < 50
    monkeypatch.setattr(job, "PROGRESS_SECONDS", 0)
    run_all(tmp_path / "b", text, times=5, pieces=1, sink=seen.append)
    assert [event.frames_done for event in seen if isinstance(event, Progress)][-5:] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("error", "failure_class", "exit_code"),
    [
        (InputError("bad", detail="tail"), "input", 3),
        (ValueError("x"), "bug", 1),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_a_failure_is_emitted_and_raised(
    tmp_path: Path, text: Path, error: BaseException, failure_class: str, exit_code: int
) -> None:
    def function(run: object) -> dict[str, Any]:
        raise error

    seen: list[Event] = []
    with (
        pytest.raises(type(error)),
        Job(Workspace(tmp_path / "work"), {}, events=seen.append) as failing,
    ):
        failing.run(stage_of(function), {"text": text}, RepeatParams())
    failed, summary = seen[-2:]
    assert isinstance(failed, Failed)
    assert isinstance(summary, Summary)
    assert (failed.failure_class, summary.exit_code, summary.failed) == (failure_class, exit_code, 1)


def test_a_missing_input_is_emitted_and_raised(tmp_path: Path) -> None:
    seen: list[Event] = []
    with pytest.raises(InputError, match="does not exist"):
        run_all(tmp_path / "work", tmp_path / "gone.txt", sink=seen.append)
    assert [event.event for event in seen] == ["expected", "failed", "summary"]
    assert not (tmp_path / "work").exists()


def test_a_label_used_twice_is_numbered(tmp_path: Path, text: Path) -> None:
    def run() -> dict[str, str]:
        seen: list[Event] = []
        with Job(Workspace(tmp_path / "work"), {}, events=seen.append) as two:
            for times in (1, 2):
                two.run(REPEAT, {"text": text}, RepeatParams(times))
        return reasons(seen)

    assert run() == {"repeat": "new", "repeat 2": "new"}
    assert run() == {"repeat": "done", "repeat 2": "done"}


def test_forcing_makes_each_result_once(tmp_path: Path, text: Path) -> None:
    run_all(tmp_path / "work", text)
    seen: list[Event] = []
    with Job(Workspace(tmp_path / "work"), {}, force=["repeat"], events=seen.append) as forced:
        for label in "ab":
            forced.run(REPEAT, {"text": text}, RepeatParams(), label=label)
    assert reasons(seen) == {"a": "forced", "b": "done"}


@pytest.mark.parametrize("content", ["", "x", '\n["piece 0",null]', '\n["piece 0",{"a":1}]', '\n["piece 0",[1]]'])
def test_a_damaged_memory_loses_only_the_reason(tmp_path: Path, text: Path, content: str) -> None:
    run_all(tmp_path / "work", text)
    (memory,) = (tmp_path / "work" / "jobs").iterdir()
    memory.write_text(content)
    assert reasons_of(tmp_path / "work", text, times=3)["piece 0"] == "new"


def test_no_job_starts_while_the_folder_is_cleaned(tmp_path: Path, text: Path) -> None:
    run_all(tmp_path / "work", text)
    lock = FolderLock(tmp_path / "work")
    with pytest.raises(BusyError, match="run again in a moment"):
        run_all(tmp_path / "work", text)
    lock.release()
    run_all(tmp_path / "work", text)


@contextmanager
def ordinary_user(folder: Path) -> Iterator[None]:
    """Give up root, which ignores file permissions, for a while. The folder stays reachable."""
    if os.geteuid() != 0:
        yield
        return
    open_to_all(folder)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_finished_job_needs_no_write_permission(tmp_path: Path, text: Path) -> None:
    first = run_all(tmp_path / "work", text)
    (tmp_path / "work").chmod(0o555)
    try:
        with ordinary_user(tmp_path):
            with pytest.raises(PermissionError):
                (tmp_path / "work" / "new").touch()
            assert run_all(tmp_path / "work", text) == first
    finally:
        (tmp_path / "work").chmod(0o755)
