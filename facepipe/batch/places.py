"""Detection of items that write the same file."""

from __future__ import annotations

import os
from collections.abc import Iterable

from facepipe.batch.item import Item
from facepipe.errors import UsageError


class PlaceError(UsageError):
    """Two rows write the same file. `twice` means that they are the same item."""

    def __init__(self, message: str, *, twice: bool = False, permanent: bool | None = None) -> None:
        super().__init__(message, permanent=permanent)
        self.twice = twice


class Places:
    """The items and files seen so far, as hashes, because a list may have millions of them."""

    def __init__(self) -> None:
        self._files: set[int] = set()
        self._ids: set[int] = set()

    def fault(self, item: Item, files: Iterable[str]) -> PlaceError | None:
        """Return the error if an earlier item has the same id or writes one of the files, else None."""
        mine = hash(item.id)
        if mine in self._ids:
            return PlaceError(f"{item.label}: is in the list twice; remove one of the rows", twice=True)
        self._ids.add(mine)
        paths = [_plain(path) for path in files]
        met = next((path for path in paths if hash(path) in self._files), None)
        self._files.update(map(hash, paths))
        if met is None:
            return None
        which, other = ("result", "the result") if met == _plain(item.output) else ("additional file", "a file")
        return PlaceError(
            f"{item.label}: its {which} {met} is also {other} of an earlier row; add a placeholder that differs, for "
            "example {id}, to the template or the column output"
        )


def _plain(path: str) -> str:
    return os.path.normpath(path) if "./" in path or "//" in path else path
