"""What the engine asks of a disk: to keep what was written, to let go of a folder, and to fail in plain words."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facepipe.errors import DiskError

FULL = {errno.ENOSPC, errno.EDQUOT}
CLOSED = {errno.EACCES, errno.EPERM}
FAILED = {errno.EIO, getattr(errno, "ESTALE", errno.EIO)}


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk of `folder` refuses into DiskError, with the path and the remedy; let all else through."""
    try:
        yield
    except OSError as error:
        if told := as_disk_error(error, folder):
            raise told from error
        raise


def as_disk_error(error: OSError, folder: Path) -> DiskError | None:
    """Return the DiskError for an operating system error met while working in `folder`; None if it is another's."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
    ours = path == folder or folder in path.parents or path in folder.parents
    if error.errno in FULL:
        free = _free_text(path if path.exists() else folder)
        return DiskError(
            f"the disk is full{free} at {str(path)!r}; free some space or choose another work folder with --work"
        )
    if error.errno == errno.EROFS:
        return DiskError(
            f"{str(folder if ours else path)!r} is on a read-only disk; choose another work folder with --work",
            permanent=True,
        )
    if error.errno in FAILED:
        return DiskError(
            f"the disk failed at {str(path)!r} ({error.strerror}); check it or choose another work folder with --work"
        )
    if error.errno in CLOSED and ours:
        remedy = "change its permissions or choose another work folder with --work"
        return DiskError(f"{str(path)!r} may not be written; {remedy}", permanent=True)
    if error.errno in {errno.ENOTDIR, errno.EEXIST} and ours:
        return DiskError(f"{str(path)!r} is not a folder; choose another work folder with --work", permanent=True)
    if error.errno == errno.ENOENT and ours:
        return DiskError(f"{str(path)!r} was removed while it was in use; run again")
    return None


def _free_text(path: Path) -> str:
    free = free_bytes(path)
    return "" if free is None else f" ({free // 2**20} MiB free)"


def free_bytes(path: Path) -> int | None:
    """Return how much this user may still write on the disk of `path`; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        disk = os.statvfs(path)
        return disk.f_bavail * disk.f_frsize
    return None


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, and see to it that the new names survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        sync(folder.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, through to the disk."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and overlay file systems know no fsync of a folder.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP} or not path.is_dir():
            raise
    finally:
        os.close(handle)


def protect(path: Path) -> None:
    """Take the permission to write from a file. Removing it is a matter of its folder and stays possible."""
    with suppress(PermissionError):  # file systems without permissions
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all in it; that another process was faster is no error. Raises DiskError."""
    with disk_errors(folder):
        for root, folders, files in os.walk(folder, topdown=False):
            for name in files:
                _unlink(Path(root) / name)
            for name in folders:
                path = Path(root) / name
                with suppress(FileNotFoundError):
                    path.unlink() if path.is_symlink() else path.rmdir()
        with suppress(FileNotFoundError):
            folder.rmdir()


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        # Windows does not remove read-only files.
        path.chmod(stat.S_IWRITE | stat.S_IREAD)
        path.unlink(missing_ok=True)
