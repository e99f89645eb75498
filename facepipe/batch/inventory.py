"""Cached listings of folders, because a plan of a million items cannot query every file separately."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from facepipe.errors import FacepipeError

FILES = 200_000
MAX_NAMES = 2_000_000
"""Maximum number of cached file names."""
NAME_BYTES = 255
"""Maximum length of a file name in most file systems."""
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
"""Ways to compose an accent: as one character, as most systems write it, or as two, as macOS does."""


class Inventory:
    """The files below a folder, with cached listings and signatures."""

    def __init__(self, folder: Path, check_file: Callable[[Path, str], None]) -> None:
        """`check_file` raises an error for a file that is not of an accepted kind, see `CommandSet`."""
        self._folder, self._check_file = str(folder), check_file
        self._listed: dict[str, frozenset[str]] = {}
        self._held = 0
        self.sign = lru_cache(maxsize=FILES)(self._sign)
        self.fault = lru_cache(maxsize=FILES)(self._fault)
        self.place_fault = lru_cache(maxsize=FILES)(self._place_fault)

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

    def spelled(self, name: str) -> str:
        """Return the name under which the disk has a file: the same, or with accents composed in the other way."""
        if name.isascii() or self._there(name):
            return name
        others = (unicodedata.normalize(form, name) for form in FORMS)
        return next((other for other in others if self._there(other)), name)

    def _there(self, name: str) -> bool:
        return os.path.exists(os.path.join(self._folder, name))  # noqa: PTH110, PTH118

    def _sign(self, name: str) -> str:
        """Return size and modification time of a file as text; empty if it does not exist."""
        try:
            status = os.stat(os.path.join(self._folder, name))  # noqa: PTH116, PTH118
        except OSError:
            return ""
        return f"{status.st_size}:{status.st_mtime_ns}"

    def _fault(self, name: str, accepted: str) -> FacepipeError | None:
        """Return the reason why a file cannot be used, or None."""
        try:
            self._check_file(Path(self._folder) / name, accepted)
        except FacepipeError as error:
            return error
        return None

    def _place_fault(self, parent: str) -> str:
        """Return why no file can be written in a folder, which may not exist yet; empty if one can."""
        for folder in (path := Path(self._folder) / parent, *path.parents):
            try:
                if folder.is_dir():
                    writable = os.access(folder, os.W_OK | os.X_OK)
                    return "" if writable else f"the folder {folder} is read-only; choose another output"
                if folder.exists() or folder.is_symlink():
                    return f"{folder} is a file and not a folder; choose another output"
            except OSError as error:
                return f"{folder} cannot be the folder of a result ({error.strerror}); choose another output"
        return ""

    def name_fault(self, name: str) -> str:
        """Return why a file cannot have this name, or its sidecar NAME.json; empty if it can."""
        path = os.path.join(self._folder, name)  # noqa: PTH118
        longest = max(map(len, os.fsencode(name).split(b"/")))
        if longest > NAME_BYTES - len(".json"):
            return f"its name is too long ({longest} bytes, and at most {NAME_BYTES - len('.json')} are possible)"
        return "it is a folder; choose another output" if os.path.isdir(path) else ""  # noqa: PTH112


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in os.scandir(folder))
    except OSError:
        return frozenset()
