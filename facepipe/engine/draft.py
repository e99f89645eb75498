"""Draft folders: where a result is written before it bears its name, and how a dead one is told from a live one."""

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
"""After this long without a write, the draft of another host is taken for dead: its process cannot be asked."""
REUSED_SECONDS = 600.0
"""After this long, an unlocked draft is dead although a process has its number: the number was given out again."""

DRAFT = re.compile(r"(?P<target>[^.]+)\.(?P<host>[\w-]+)-(?P<pid>\d+)-[0-9a-f]+\.draft")


def this_host() -> str:
    """Return this machine's name in the letters of a draft's name."""
    name = os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename
    return re.sub(r"[^A-Za-z0-9_]", "_", name)[:60] or "host"


def draft_beside(target: Path) -> Path:
    """Return a new name for a draft of `target`; it tells host and process."""
    return target.with_name(f"{target.name}.{this_host()}-{os.getpid()}-{os.urandom(4).hex()}.draft")


@contextmanager
def open_draft(target: Path) -> Iterator[Path]:
    """Make an empty folder beside `target`, locked while it is in use, and remove it unless it was renamed away."""
    with disk_errors(target.parent):
        make_folder(target.parent)
        folder, lock = _locked_folder(target)
    try:
        yield folder
    finally:
        with suppress(DiskError, OSError):  # a disk that refuses this too must not hide the first error
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
            # A sweeper came between the two steps (it holds the lock while it removes).
            lock.release()


def drafts_in(folder: Path) -> list[Path]:
    """Return the drafts that lie in a folder."""
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".draft"))
    except OSError:
        return []


def is_dead(draft: Path) -> bool:
    """Tell whether nobody works on a draft any more. When in doubt, no."""
    if lock := _lock_if_dead(draft):
        lock.release()
    return lock is not None


def sweep(folder: Path) -> list[Path]:
    """Remove the dead drafts in a folder and return them."""
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
    """Return the lock on a dead draft, None for a live one.

    A live draft is locked by its process, and the kernel lets go of the lock however the process ends. Where the disk
    knows no locks, the process number decides; of a process on another host only a long silence tells.
    """
    name = DRAFT.fullmatch(draft.name)
    if name is None:
        return None
    try:
        lock = FolderLock(draft)
    except OSError:  # locked, gone, or not ours to look into
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
    """Tell whether a process of this host lives; a zombie does not."""
    if sys.platform == "win32":
        return True  # asking would be killing there; the age decides
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
