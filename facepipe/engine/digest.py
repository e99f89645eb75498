"""Cached sha256 digests of files, so that a file is read once rather than once per run."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path
from typing import BinaryIO

from facepipe.engine.journal import JsonlJournal
from facepipe.errors import InputError

CHUNK_BYTES = 1 << 20
SETTLED_NS = 2_000_000_000
"""Digests of files modified more recently are not cached: the file may change again within the same time stamp."""

Signature = tuple[int, int, int, int]


def digest_stream(stream: BinaryIO) -> str:
    """Return the sha256 (64 hex digits) of the rest of a stream."""
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def signature(path: Path) -> Signature:
    """Return (size in bytes, mtime in ns, ctime in ns, inode), which changes whenever the content may have changed.

    Raises InputError if `path` is not a regular file or cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise InputError(f"{str(path)!r} is {kind}; give a file")
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class DigestCache:
    """Digests by path. Each is valid while the signature of its file is unchanged."""

    def __init__(self, path: Path) -> None:
        self._journal: JsonlJournal[str] = JsonlJournal(path)
        self._seen: dict[str, str] = {}

    def digest(self, path: Path) -> str:
        """Return the sha256 of a file. Raises InputError if it cannot be read or changes while it is read."""
        return self.look(path)[0]

    def save(self) -> None:
        """Write the digests that were computed before the folder of the cache existed."""
        self._journal.save()

    def look(self, path: Path) -> tuple[str, Signature]:
        """Return the sha256 of a file and its signature. Raises InputError like `digest`."""
        path = path.absolute()
        before = signature(path)
        state = ":".join(map(str, before))
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        remembered = self._seen.get(name) or str(self._journal.values.get(name))
        if remembered.startswith(state + ":"):
            return remembered[len(state) + 1 :], before
        sha256 = _digest_file(path)
        if signature(path) != before:
            raise InputError(f"{str(path)!r} changed while it was read; run again when it is complete")
        self._seen[name] = f"{state}:{sha256}"
        if time.time_ns() - max(before[1], before[2]) > SETTLED_NS:
            self._journal.set(name, f"{state}:{sha256}")
        return sha256, before


def _digest_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return digest_stream(stream)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{str(path)!r} does not exist; check the name")
    return InputError(f"{str(path)!r} cannot be read ({error.strerror}); check its permissions and its disk")
