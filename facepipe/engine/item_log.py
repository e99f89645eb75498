"""The outcome of every item of a batch: each process writes one journal, and readers merge them."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from facepipe.engine.claim import process_token
from facepipe.engine.disk import disk_errors, make_folder
from facepipe.engine.draft import this_host
from facepipe.engine.journal import line_of, read_lines
from facepipe.engine.stage import Json

SUFFIX = ".jsonl"
PROCESS, RUN = "process", "run "
"""Keys of lines that are not about an item: the first line of a journal, and (with the run id appended) a run."""
BEGUN, DROPPED, FAILED, DONE = "begun", "dropped", "failed", "done"
RANK = {BEGUN: 0, DROPPED: 1, FAILED: 2, DONE: 3}
"""Of two entries of an item with the same number, the one of higher rank counts."""


class Entry(NamedTuple):
    """The latest known state of an item."""

    number: int
    """How often the item was started. It orders the entries, as clocks may be set back."""
    state: str
    key: str
    """A digest of what the item was made from; see `facepipe.batch.plan`."""
    run: str
    tries: int
    """How many attempts of this run failed or were interrupted."""
    permanent: bool
    kind: str
    """The class of its failure."""


def entry_of(value: Any) -> Entry:
    """Parse an entry. Raises KeyError or TypeError if `value` is not one."""
    return Entry(
        int(value["number"]),
        str(value["state"]),
        str(value.get("key", "")),
        str(value.get("run", "")),
        int(value.get("tries", 1)),
        bool(value.get("permanent", False)),
        str(value.get("class", "")),
    )


def supersedes(new: Entry, old: Entry | None) -> bool:
    """Return True if an entry replaces another of the same item."""
    return old is None or (new.number, RANK.get(new.state, 0)) >= (old.number, RANK.get(old.state, 0))


class ItemLog:
    """The journal of this process in a folder. The file is created by the first line."""

    def __init__(self, folder: Path, *, about: dict[str, Json]) -> None:
        name = f"{this_host()}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
        self.path = folder / name
        self._about = about
        self._handle = -1
        self._lock = threading.Lock()

    def append(self, key: str, value: dict[str, Json]) -> None:
        """Append a line with the current time. Raises DiskError, as an outcome that is not recorded would be lost."""
        value = {**value, "time": round(time.time(), 3)}
        with self._lock, disk_errors(self.path.parent):
            if self._handle < 0:
                self._open()
            if self.is_lost:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
            self._write(line_of(key, value))

    @property
    def is_lost(self) -> bool:
        """Whether the file was removed or replaced after it was begun, so that nobody can read what is appended."""
        if self._handle < 0:
            return False
        try:
            return not os.path.samestat(os.fstat(self._handle), self.path.stat())
        except OSError:
            return True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def _open(self) -> None:
        make_folder(self.path.parent)
        self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        if os.fstat(self._handle).st_size == 0:
            self._write(line_of(PROCESS, {"token": process_token(), "time": round(time.time(), 3), **self._about}))

    def _write(self, line: bytes) -> None:
        line = b"\n" + line
        written = os.write(self._handle, line)
        if written < len(line):  # the disk is nearly full; writing the rest raises the error
            os.write(self._handle, line[written:])


class ItemLogReader:
    """Reads the journals of a folder incrementally."""

    def __init__(self, folder: Path, offsets: Mapping[str, int] | None = None) -> None:
        self._folder = folder
        self.offsets: dict[str, int] = dict(offsets or {})
        """Bytes read of each journal, by file name."""

    def news(self) -> Iterator[tuple[str, Any, str]]:
        """Yield (key, value, name of the journal) for each line written since the last call."""
        for entry in self._files():
            offset = self.offsets.get(entry.name, 0)
            with suppress(OSError):
                if entry.stat().st_size <= offset:
                    continue
                for key, value, end in read_lines(Path(entry.path), offset):
                    self.offsets[entry.name] = end
                    yield key, value, entry.name

    def _files(self) -> list[os.DirEntry[str]]:
        try:
            return sorted((e for e in os.scandir(self._folder) if e.name.endswith(SUFFIX)), key=lambda e: e.name)
        except OSError:
            return []


class Entries:
    """The latest entry of every item, updated by `refresh` and `changes`."""

    def __init__(self, folder: Path, offsets: Mapping[str, int] | None = None, *, without_run: str = "") -> None:
        """Read from `offsets` on (bytes by journal), and ignore the entries of the run `without_run`."""
        self._without_run = without_run
        self._reader = ItemLogReader(folder, offsets)
        self._entries: dict[str, Entry] = {}
        self._shared: dict[str, str] = {}

    def refresh(self) -> None:
        """Read the new lines."""
        for _ in self.changes():
            continue

    def changes(self) -> Iterator[tuple[str, Entry, Mapping[str, Any]]]:
        """Read the new lines; yield (item, entry, value of the line) for each entry that changed."""
        for key, value, _ in self._reader.news():
            if key == PROCESS or key.startswith(RUN):
                continue
            with suppress(KeyError, TypeError, ValueError):
                entry = entry_of(value)
                if self._without_run and entry.run == self._without_run:
                    continue
                if not supersedes(entry, self._entries.get(key)):
                    continue
                # There may be a million entries: strings that they have in common are stored once.
                share = self._shared.setdefault
                entry = entry._replace(
                    state=share(entry.state, entry.state),
                    run=share(entry.run, entry.run),
                    kind=share(entry.kind, entry.kind),
                )
                self._entries[key] = entry
                yield key, entry, value

    @property
    def offsets(self) -> Mapping[str, int]:
        """Bytes read of each journal, by file name."""
        return self._reader.offsets

    def get(self, item: str) -> Entry | None:
        """Return the latest entry of an item as of the last `refresh`."""
        return self._entries.get(item)

    def __len__(self) -> int:
        return len(self._entries)
