"""Failures leave no draft behind, and damaged results are made again."""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from facepipe.engine import Artefact, StageRun, Workspace
from facepipe.errors import DiskError, ExitCode, InputError, MemoryLimitError, RecordError
from tests.engine.repetition import REPEAT, RepeatParams, decide, drafts, fails, stage_of, write


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            DiskError,
            r"disk is full \(\d+ MiB free\).*free some space",
        ),
        (OSError(errno.EDQUOT, "Quota"), DiskError, "disk is full"),
        (OSError(errno.EROFS, "Read-only"), DiskError, "read-only disk; choose another work folder"),
        (OSError(errno.EIO, "I/O error"), DiskError, "the disk failed"),
        (MemoryError(), MemoryLimitError, "ran out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate"), MemoryLimitError, "ran out of memory"),
        (InputError("a.mp4 is empty"), InputError, "a.mp4 is empty"),
        (ValueError("bug"), ValueError, "bug"),
        (PermissionError(errno.EACCES, "denied", "/somewhere/else"), PermissionError, "denied"),
        (KeyboardInterrupt("SIGTERM"), KeyboardInterrupt, "SIGTERM"),
    ],
)
def test_an_error_leaves_nothing_behind(
    workspace: Workspace, text: Path, error: BaseException, expected: type[BaseException], message: str
) -> None:
    with pytest.raises(expected, match=message):
        workspace.execute(decide(workspace, text, fails(error)))
    assert drafts(workspace) == []
    assert decide(workspace, text).reason == "new"


@pytest.mark.parametrize("function", ["sync", "protect"])
def test_a_disk_that_fills_up_while_publishing_publishes_nothing(
    workspace: Workspace, text: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    workspace.prepare()
    decision = decide(workspace, text)
    monkeypatch.setattr(f"facepipe.engine.store.{function}", full)
    with pytest.raises(DiskError, match=r"repeated\.txt") as caught:
        workspace.execute(decision)
    assert (caught.value.permanent, caught.value.exit_code) == (False, ExitCode.FAILED_ITEMS)
    monkeypatch.undo()
    assert (drafts(workspace), decide(workspace, text).reason) == ([], "new")


def test_an_input_that_changes_under_the_stage_is_refused(workspace: Workspace, text: Path) -> None:
    def function(run: StageRun[RepeatParams]) -> Mapping[str, Any]:
        text.write_text("something else")
        return write(run)

    with pytest.raises(InputError, match="changed while it was in use"):
        workspace.execute(decide(workspace, text, stage_of(function)))
    assert drafts(workspace) == []


def damage_record(made: Artefact, content: str) -> None:
    record = made.folder / "record.json"
    record.chmod(0o644)
    record.write_text(content)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"schema": 1}', '{"schema": "1"}', "\x00" * 900])
def test_a_result_with_a_damaged_record_is_made_again(workspace: Workspace, text: Path, content: str) -> None:
    made = workspace.execute(decide(workspace, text))
    damage_record(made, content)
    again = decide(workspace, text)
    assert again.reason == "incomplete"
    assert workspace.execute(again).record.outputs == made.record.outputs
    assert (decide(workspace, text).reason, drafts(workspace)) == ("done", [])


def test_a_result_with_a_missing_or_truncated_output_is_made_again(workspace: Workspace, text: Path) -> None:
    made = workspace.execute(decide(workspace, text))
    path = made.path("repeated.txt")
    path.chmod(0o644)
    path.write_text("short")
    assert decide(workspace, text).reason == "incomplete"
    workspace.execute(decide(workspace, text))
    made.path("repeated.txt").unlink()
    workspace.execute(decide(workspace, text))
    assert made.path("repeated.txt").stat().st_size == 16


def test_the_record_of_another_version_is_named(workspace: Workspace, text: Path) -> None:
    made = workspace.execute(decide(workspace, text))
    damage_record(made, '{"schema": 99}')
    with pytest.raises(RecordError, match=rf"{made.folder.name}.*schema 99.*facepipe clean") as caught:
        decide(workspace, text)
    assert caught.value.exit_code is ExitCode.PRECHECK


def test_a_result_in_the_wrong_folder_is_not_found(workspace: Workspace, text: Path) -> None:
    made = workspace.execute(decide(workspace, text))
    other = workspace.decide(REPEAT, {"text": text}, RepeatParams(times=9))
    folder = workspace.store.folder(other.identity)  # type: ignore[arg-type]
    folder.parent.mkdir(parents=True, exist_ok=True)
    made.folder.rename(folder)
    assert workspace.decide(REPEAT, {"text": text}, RepeatParams(times=9)).reason == "incomplete"
