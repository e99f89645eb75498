"""A small file of keys and values that several processes append to: the last line of a key counts."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Generic, TypeVar

from facepipe.engine.stage import Json

V = TypeVar("V", bound=Json)

SPARE_LINES = 1000


class Journal(Generic[V]):
    """Append-only JSON lines `[key, value]`.

    One write call a line, so that two processes on one disk do not mix theirs; each line *begins* with a line break, so
    that the torn line of a killed process spoils no other; a line that cannot be read does not exist. The content is
    never the truth about results: where it cannot be written (read-only or full disk) it is silently not written.
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
        try:
            content = self.path.read_bytes()
        except OSError:
            return values
        for line in content.split(b"\n"):
            self._lines += 1
            with contextlib.suppress(ValueError, TypeError):
                key, value = json.loads(line)
                values[str(key)] = value
        return values

    def _append(self) -> None:
        lines = [b"\n" + _line(key, value) for key, value in self._unsaved.items()]
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
        lines = [_line(key, value) for key, value in self._values.items()]
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.draft")
        try:
            draft.write_bytes(b"\n".join(lines))
            draft.replace(self.path)
            self._lines = len(lines)
        finally:
            draft.unlink(missing_ok=True)


def _line(key: str, value: Json) -> bytes:
    return json.dumps([key, value], separators=(",", ":")).encode("ascii")
