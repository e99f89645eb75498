"""Cached listings of folders, because a plan of a million items cannot query every file separately."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from facepipe.errors import FacepipeError, InputError
from facepipe.media.files import check_input

FILES = 200_000
MAX_NAMES = 2_000_000
"""Maximum number of cached file names."""


class Inventory:
    """The files below a folder, with cached listings and signatures."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._listed: dict[str, frozenset[str]] = {}
        self._held = 0
        self.sign = lru_cache(maxsize=FILES)(self._sign)
        self.fault = lru_cache(maxsize=FILES)(self._fault)

    def exists(self, name: str) -> bool:
        """Return whether a file exists, by the cached listing of its folder."""
        parent, name = os.path.split(os.path.join(self._folder, name))  # noqa: PTH118 (a million times)
        if parent not in self._listed:
            if self._held > MAX_NAMES:
                self._listed.clear()
                self._held = 0
            self._listed[parent] = _names_in(parent)
            self._held += len(self._listed[parent]) + 1
        # Another process may have created the file since the listing.
        return name in self._listed[parent] or os.path.exists(os.path.join(parent, name))  # noqa: PTH110, PTH118

    def _sign(self, name: str) -> str:
        """Return size and modification time of a file as text; empty if it does not exist."""
        try:
            status = os.stat(os.path.join(self._folder, name))  # noqa: PTH116, PTH118
        except OSError:
            return ""
        return f"{status.st_size}:{status.st_mtime_ns}"

    def _fault(self, name: str) -> FacepipeError | None:
        """Return the reason why a file cannot be read, or None."""
        try:
            check_input(Path(self._folder) / name)
        except InputError as error:
            return error
        return None


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in os.scandir(folder))
    except OSError:
        return frozenset()
