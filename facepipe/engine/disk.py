"""Disk operations of the engine: durable writes, removal of folders, and clear error messages."""

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
    """Translate OSErrors of the disk of `folder` to DiskError with path and remedy. Other errors pass unchanged."""
    try:
        yield
    except OSError as error:
        if disk_error := as_disk_error(error, folder):
            raise disk_error from error
        raise


def as_disk_error(error: OSError, folder: Path) -> DiskError | None:
    """Return the DiskError for an OSError raised while working in `folder`, or None if the disk is not the cause."""
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
        return DiskError(f"{str(path)!r} is not writable; {remedy}", permanent=True)
    if error.errno in {errno.ENOTDIR, errno.EEXIST} and ours:
        return DiskError(f"{str(path)!r} is not a folder; choose another work folder with --work", permanent=True)
    if error.errno == errno.ENOENT and ours:
        return DiskError(f"{str(path)!r} was removed while it was in use; run again")
    return None


def _free_text(path: Path) -> str:
    free = free_bytes(path)
    return "" if free is None else f" ({free // 2**20} MiB free)"


def free_bytes(path: Path) -> int | None:
    """Return the bytes this user can still write on the disk of `path`, or None if the system does not report it."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        disk = os.statvfs(path)
        return disk.f_bavail * disk.f_frsize
    return None


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, and fsync the new names so that they survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        sync(folder.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk (fsync)."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and overlay file systems do not support fsync on a folder.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP} or not path.is_dir():
            raise
    finally:
        os.close(handle)


def protect(path: Path) -> None:
    """Make a file read-only. It can still be removed, which depends on the permissions of its folder."""
    with suppress(PermissionError):  # file systems without permissions
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


def remove_folder(folder: Path) -> None:
    """Remove a folder and its content. Files already removed by another process are ignored. Raises DiskError."""
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
        # Windows cannot remove read-only files.
        path.chmod(stat.S_IWRITE | stat.S_IREAD)
        path.unlink(missing_ok=True)
