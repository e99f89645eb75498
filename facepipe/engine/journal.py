"""Append-only files of key-value lines, the format of all of facepipe's logs and caches.

A line is `[key, value]` in JSON, written by one system call, so that lines of several processes do not mix. It
*starts* with a line break, so that a line torn by a killed process does not damage the next one. Unreadable lines are
ignored.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from facepipe.engine.stage import Json

V = TypeVar("V", bound=Json)

SPARE_LINES = 1000
BLOCK_BYTES = 1 << 20


def line_of(key: str, value: Json) -> bytes:
    """Return the line of a key and a value, without line break."""
    return json.dumps([key, value], separators=(",", ":")).encode("ascii")


def read_lines(path: Path, offset: int = 0) -> Iterator[tuple[str, Any, int]]:
    """Yield (key, value, offset to continue from) for the lines from a byte offset on, in constant memory.

    An incomplete last line is not consumed, as it may still be written. Raises OSError.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        rest = b""
        while block := stream.read(BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                offset += len(line) + 1
                if (entry := _entry(line)) is not None:
                    # The line break belongs to the next line and is read again with it.
                    yield *entry, offset - 1
        if (entry := _entry(rest)) is not None:
            yield *entry, offset + len(rest)


def _entry(line: bytes) -> tuple[str, Any] | None:
    with contextlib.suppress(ValueError, TypeError):
        key, value = json.loads(line)
        return str(key), value
    return None


class JsonlJournal(Generic[V]):
    """A small key-value file that several processes append to. The last line of a key counts.

    It is a cache: no result depends on it, so errors in writing it (read-only or full disk) are ignored.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = 0
        self._values: dict[str, V] | None = None
        self._unsaved: dict[str, V] = {}

    @property
    def values(self) -> dict[str, V]:
        """The content of the file when it was first read, updated by `set`."""
        if self._values is None:
            self._values = self._read()
        return self._values

    def set(self, key: str, value: V) -> None:
        """Set a value and write it to the file if it is new."""
        if self.values.get(key) == value:
            return
        self.values[key] = self._unsaved[key] = value
        self.save()

    def save(self) -> None:
        """Write the pending values. Does nothing while the parent of the file's folder is missing."""
        with contextlib.suppress(OSError):
            if self._unsaved:
                self._append()
            if self._lines > 2 * len(self.values) + SPARE_LINES:
                self._compact()

    def _read(self) -> dict[str, V]:
        values: dict[str, V] = {}
        with contextlib.suppress(OSError):
            for key, value, _ in read_lines(self.path):
                self._lines += 1
                values[key] = value
        return values

    def _append(self) -> None:
        lines = [b"\n" + line_of(key, value) for key, value in self._unsaved.items()]
        with contextlib.suppress(FileExistsError):
            self.path.parent.mkdir()
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            for line in lines:
                os.write(handle, line)
        finally:
            os.close(handle)
        self._lines += len(lines)
        self._unsaved.clear()

    def _compact(self) -> None:
        # Lines appended by another process between reading and renaming are lost; that costs one cache miss each.
        self._lines, self._values = 0, {**self._read(), **self.values}
        lines = [line_of(key, value) for key, value in self._values.items()]
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.draft")
        try:
            draft.write_bytes(b"\n".join(lines))
            draft.replace(self.path)
            self._lines = len(lines)
        finally:
            draft.unlink(missing_ok=True)
