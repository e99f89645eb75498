"""The one form in which facepipe notes things: lines of a key and a value that are only ever appended.

A line is `[key, value]` in JSON, written by one call, so that two processes on one disk do not mix theirs. It *begins*
with a line break, so that the torn line of a killed process spoils no other; a line that cannot be read does not exist.
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
    """Return a line without its line break."""
    return json.dumps([key, value], separators=(",", ":")).encode("ascii")


def read_lines(path: Path, offset: int = 0) -> Iterator[tuple[str, Any, int]]:
    """Yield (key, value, offset to go on from) of the lines from an offset on, in memory that does not grow.

    What follows the last whole line is left for later: it may still be being written. Raises OSError.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        rest = b""
        while block := stream.read(BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                offset += len(line) + 1
                if (entry := _entry(line)) is not None:
                    # The break in front of the next line belongs to it, and may be read again.
                    yield *entry, offset - 1
        if (entry := _entry(rest)) is not None:
            yield *entry, offset + len(rest)


def _entry(line: bytes) -> tuple[str, Any] | None:
    with contextlib.suppress(ValueError, TypeError):
        key, value = json.loads(line)
        return str(key), value
    return None


class JsonlJournal(Generic[V]):
    """A small file of keys and values that several processes append to: the last line of a key counts.

    The content is never the truth about results: where it cannot be written (read-only or full disk) it is silently not
    written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = 0
        self._values: dict[str, V] | None = None
        self._unsaved: dict[str, V] = {}

    @property
    def values(self) -> dict[str, V]:
        """What the file held when it was first asked for, and what was set since."""
        if self._values is None:
            self._values = self._read()
        return self._values

    def set(self, key: str, value: V) -> None:
        """Remember a value, in the file too unless it stands there already."""
        if self.values.get(key) == value:
            return
        self.values[key] = self._unsaved[key] = value
        self.save()

    def save(self) -> None:
        """Write what could not be written so far; nothing happens while the folder above the file's is missing."""
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
        # What another process appends between reading and renaming is forgotten; it costs that process one look-up.
        self._lines, self._values = 0, {**self._read(), **self.values}
        lines = [line_of(key, value) for key, value in self._values.items()]
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.draft")
        try:
            draft.write_bytes(b"\n".join(lines))
            draft.replace(self.path)
            self._lines = len(lines)
        finally:
            draft.unlink(missing_ok=True)
