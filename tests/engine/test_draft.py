"""A sweep removes the drafts of dead processes and never one of a live process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facepipe.engine import draft
from facepipe.engine.draft import FOREIGN_SECONDS, REUSED_SECONDS, draft_beside, is_dead, open_draft, sweep, this_host
from facepipe.engine.lock import FolderLock


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def age(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))


def make(parent: Path, host: str, pid: int, *, age_seconds: float = 0) -> Path:
    folder = parent / f"{'a' * 64}.{host}-{pid}-00ff.draft"
    folder.mkdir()
    (folder / "part").write_text("x")
    age(folder, age_seconds)
    return folder


def test_an_open_draft_is_alive_and_removed_when_it_closes(tmp_path: Path) -> None:
    with open_draft(tmp_path / "shard" / ("a" * 64)) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "x").write_text("x")
        age(folder, 10 * FOREIGN_SECONDS)
        assert not is_dead(folder)
        assert sweep(folder.parent) == []
        assert folder.is_dir()
    assert list((tmp_path / "shard").iterdir()) == []


def test_the_draft_of_a_dead_process_is_swept(tmp_path: Path) -> None:
    folder = make(tmp_path, this_host(), dead_pid())
    assert sweep(tmp_path) == [folder]
    assert not folder.exists()


def test_a_lock_counts_more_than_the_pid(tmp_path: Path) -> None:
    """The process may run in another container with the same host name, where the pid means nothing."""
    folder = make(tmp_path, this_host(), dead_pid())
    lock = FolderLock(folder)
    assert not is_dead(folder)
    lock.release()
    assert is_dead(folder)


def test_a_reused_pid_does_not_keep_a_draft_for_ever(tmp_path: Path) -> None:
    assert not is_dead(make(tmp_path, this_host(), os.getpid()))
    assert is_dead(make(tmp_path, this_host(), os.getppid(), age_seconds=2 * REUSED_SECONDS))


def test_without_locks_a_running_pid_keeps_a_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr("facepipe.engine.lock.fcntl.flock", no_locks)
    assert not is_dead(make(tmp_path, this_host(), os.getpid(), age_seconds=2 * REUSED_SECONDS))
    assert is_dead(make(tmp_path, this_host(), dead_pid()))


def test_drafts_of_another_host_are_kept_for_long(tmp_path: Path) -> None:
    assert not is_dead(make(tmp_path, "elsewhere", 1, age_seconds=FOREIGN_SECONDS / 2))
    assert is_dead(make(tmp_path, "elsewhere", 2, age_seconds=FOREIGN_SECONDS * 2))


def test_a_zombie_is_dead(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(make(tmp_path, this_host(), child.pid))
    child.wait()


def test_only_folders_named_like_drafts_are_swept(tmp_path: Path) -> None:
    for name in ("mine.draft", f"a.{this_host()}-x-00.draft", "b.h-1-00.draft.keep"):
        (tmp_path / name).mkdir()
    assert sweep(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_draft_names_are_unique(tmp_path: Path) -> None:
    names = {draft_beside(tmp_path / "t").name for _ in range(100)}
    assert len(names) == 100
    assert all(draft.DRAFT.fullmatch(name) for name in names)


@pytest.mark.parametrize("before", [True, False])
def test_a_sweep_between_mkdir_and_lock_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    swept: list[Path] = []

    class Overtaken(FolderLock):
        def __init__(self, folder: Path, *, wait: bool = False) -> None:
            if before and not swept:
                swept.append(folder)
                folder.rmdir()
            super().__init__(folder, wait=wait)
            if not swept:
                swept.append(folder)
                folder.rmdir()

    monkeypatch.setattr(draft, "FolderLock", Overtaken)
    with open_draft(tmp_path / "t") as folder:
        assert folder.is_dir()
        assert swept != [folder]


def test_sweeping_while_drafts_are_opened(tmp_path: Path) -> None:
    """An endless sweep removes no draft of a process that opens many."""
    code = (
        "import sys, pathlib\nfrom facepipe.engine import draft\n"
        "draft.is_running = lambda pid: False\nprint('ready', flush=True)\n"
        "while True: draft.sweep(pathlib.Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as sweeper:
        assert sweeper.stdout is not None
        sweeper.stdout.readline()
        try:
            for _ in range(300):
                with open_draft(tmp_path / "t") as folder:
                    (folder / "x").write_text("x")
        finally:
            sweeper.kill()
