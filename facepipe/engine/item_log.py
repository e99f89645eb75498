"""The log of the items of a batch: one journal per process, merged by readers."""

from __future__ import annotations

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
"""Keys of lines that are about no item: the first of a journal, and those about a run, with its id behind."""
BEGUN, DROPPED, FAILED, DONE = "begun", "dropped", "failed", "done"
RANK = {BEGUN: 0, DROPPED: 1, FAILED: 2, DONE: 3}
"""Of two entries with one number the later of these holds."""


class Entry(NamedTuple):
    """The last that is known of an item."""

    number: int
    """Counts the times that it was begun. It orders entries, for clocks may be set back."""
    state: str
    key: str
    """What it was made from; see `facepipe.batch.plan`."""
    run: str
    tries: int
    """How often it was begun in this run, as far as it failed or broke off."""
    permanent: bool
    kind: str
    """Its class of failure."""


def entry_of(value: Any) -> Entry:
    """Read an entry. Raises KeyError or TypeError for anything else."""
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
    """Tell whether an entry takes the place of another of the same item."""
    return old is None or (new.number, RANK.get(new.state, 0)) >= (old.number, RANK.get(old.state, 0))


class ItemLog:
    """The journal that this process writes into a folder. Nothing is written before there is something to say."""

    def __init__(self, folder: Path, *, about: dict[str, Json]) -> None:
        name = f"{this_host()}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
        self.path = folder / name
        self._about = about
        self._handle = -1
        self._lock = threading.Lock()

    def tell(self, key: str, value: dict[str, Json]) -> None:
        """Write a line, with the time. Raises DiskError: what is not noted here has not happened."""
        value = {**value, "time": round(time.time(), 3)}
        with self._lock, disk_errors(self.path.parent):
            if self._handle < 0:
                self._open()
            self._write(line_of(key, value))

    def close(self) -> None:
        """Let go of the file."""
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
        if written < len(line):  # a disk that is nearly full; the rest says so
            os.write(self._handle, line[written:])


class ItemLogReader:
    """Reads the journals of a folder, each from where it left off."""

    def __init__(self, folder: Path, offsets: Mapping[str, int] | None = None) -> None:
        self._folder = folder
        self.offsets: dict[str, int] = dict(offsets or {})
        """How much was read of each journal, in bytes."""

    def news(self) -> Iterator[tuple[str, Any, str]]:
        """Yield (key, value, journal's name) of what was written since the last call."""
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
    """The last entry of every item, kept up to date."""

    def __init__(self, folder: Path, offsets: Mapping[str, int] | None = None, *, without_run: str = "") -> None:
        """With `offsets`, what was read up to there before does not count; nor does what `without_run` wrote."""
        self._without_run = without_run
        self._reader = ItemLogReader(folder, offsets)
        self._entries: dict[str, Entry] = {}
        self._shared: dict[str, str] = {}

    def refresh(self) -> None:
        """Read what is new."""
        for _ in self.changes():
            continue

    def changes(self) -> Iterator[tuple[str, Entry, Mapping[str, Any]]]:
        """Read what is new; yield the items whose entry changed, each with the new one and with all that it says."""
        for key, value, _ in self._reader.news():
            if key == PROCESS or key.startswith(RUN):
                continue
            with suppress(KeyError, TypeError, ValueError):
                entry = entry_of(value)
                if self._without_run and entry.run == self._without_run:
                    continue
                if not supersedes(entry, self._entries.get(key)):
                    continue
                # A million of them: texts that many have in common are held once.
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
        """Return how much was read of each journal."""
        return self._reader.offsets

    def get(self, item: str) -> Entry | None:
        """Return the last entry of an item, as of the last `refresh`."""
        return self._entries.get(item)

    def __len__(self) -> int:
        return len(self._entries)
