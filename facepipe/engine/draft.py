"""Draft folders: a result is written to one before it gets its final name. Drafts of dead processes are detected."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facepipe.engine.disk import disk_errors, make_folder, remove_folder
from facepipe.engine.lock import FolderLock
from facepipe.errors import DiskError

FOREIGN_SECONDS = 7 * 24 * 3600.0
"""A draft of another host is considered dead after this long without a write, as its process cannot be checked."""
REUSED_SECONDS = 600.0
"""An unlocked draft is considered dead after this long even if its pid is running: the pid was reused."""

DRAFT = re.compile(r"(?P<target>[^.]+)\.(?P<host>[\w-]+)-(?P<pid>\d+)-[0-9a-f]+\.draft")


def this_host() -> str:
    """Return the name of this machine, reduced to the characters allowed in the name of a draft."""
    name = os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename
    return re.sub(r"[^A-Za-z0-9_]", "_", name)[:60] or "host"


def draft_beside(target: Path) -> Path:
    """Return a unique path beside `target` for a draft. Its name contains host and pid."""
    return target.with_name(f"{target.name}.{this_host()}-{os.getpid()}-{os.urandom(4).hex()}.draft")


@contextmanager
def open_draft(target: Path) -> Iterator[Path]:
    """Make an empty, locked folder beside `target` for the `with` block; remove it at the end unless it was renamed."""
    with disk_errors(target.parent):
        make_folder(target.parent)
        folder, lock = _locked_folder(target)
    try:
        yield folder
    finally:
        with suppress(DiskError, OSError):  # an error here must not hide the first one
            remove_folder(folder)
        lock.release()


def _locked_folder(target: Path) -> tuple[Path, FolderLock]:
    while True:
        folder = draft_beside(target)
        folder.mkdir()
        with suppress(FileNotFoundError):
            lock = FolderLock(folder, wait=True)
            if folder.is_dir():
                return folder, lock
            # A sweep ran between mkdir and lock (it holds the lock while it removes the folder).
            lock.release()


def drafts_in(folder: Path) -> list[Path]:
    """Return the drafts in a folder."""
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".draft"))
    except OSError:
        return []


def is_dead(draft: Path) -> bool:
    """Return True if no process works on a draft any more; False when in doubt."""
    if lock := _lock_if_dead(draft):
        lock.release()
    return lock is not None


def sweep(folder: Path) -> list[Path]:
    """Remove the dead drafts in a folder and return their paths."""
    return [draft for draft in drafts_in(folder) if _remove_if_dead(draft)]


def _remove_if_dead(draft: Path) -> bool:
    lock = _lock_if_dead(draft)
    if lock is None:
        return False
    with suppress(DiskError, OSError):
        remove_folder(draft)
    lock.release()
    return True


def _lock_if_dead(draft: Path) -> FolderLock | None:
    """Return the lock on a dead draft, or None for a live one.

    A live draft is locked by its process, and the kernel releases the lock however the process ends. If the file system
    has no locks, the pid decides. A draft of another host is dead after FOREIGN_SECONDS without a write.
    """
    name = DRAFT.fullmatch(draft.name)
    if name is None:
        return None
    try:
        lock = FolderLock(draft)
    except OSError:  # locked, removed, or without read permission
        return None
    if name["host"] != this_host():
        dead = _silent_seconds(draft) > FOREIGN_SECONDS
    elif is_running(int(name["pid"])):
        dead = lock.known and _silent_seconds(draft) > REUSED_SECONDS
    else:
        dead = True
    if dead:
        return lock
    lock.release()
    return None


def is_running(pid: int) -> bool:
    """Return True if a process of this host is alive. A zombie is not."""
    if sys.platform == "win32":
        return True  # os.kill would end the process there; the age of the draft decides instead
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    return True


def _silent_seconds(draft: Path) -> float:
    newest = 0.0
    with suppress(OSError):
        newest = max(path.lstat().st_mtime for path in (draft, *draft.rglob("*")))
    return time.time() - newest if newest else 0.0
