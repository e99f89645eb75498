"""What lies in folders, each listed once: a plan of a million items cannot ask after each file by itself."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from facepipe.errors import FacepipeError, InputError
from facepipe.media.files import check_input

FILES = 200_000
MOST_NAMES = 2_000_000
"""So many names of listed folders are remembered at a time."""


class Inventory:
    """The files below a folder as they were when they were first asked after."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._listed: dict[str, frozenset[str]] = {}
        self._held = 0
        self.sign = lru_cache(maxsize=FILES)(self._sign)
        self.fault = lru_cache(maxsize=FILES)(self._fault)

    def exists(self, name: str) -> bool:
        """Tell whether a file lies there, by the listing of its folder."""
        parent, name = os.path.split(os.path.join(self._folder, name))  # noqa: PTH118 (a million times)
        if parent not in self._listed:
            if self._held > MOST_NAMES:
                self._listed.clear()
                self._held = 0
            self._listed[parent] = _names_in(parent)
            self._held += len(self._listed[parent]) + 1
        # What is not in the listing may have come since, from another process.
        return name in self._listed[parent] or os.path.exists(os.path.join(parent, name))  # noqa: PTH110, PTH118

    def _sign(self, name: str) -> str:
        """Return size and time of a file; they change when its content does. Empty where there is none."""
        try:
            status = os.stat(os.path.join(self._folder, name))  # noqa: PTH116, PTH118
        except OSError:
            return ""
        return f"{status.st_size}:{status.st_mtime_ns}"

    def _fault(self, name: str) -> FacepipeError | None:
        """Return what keeps a file from being read."""
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
