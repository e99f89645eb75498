"""The newest version of each list of jobs in a work folder: its last run, and the ids of its items.

A list is known by its name. Items that were taken out of it stay in the journals, and only these files tell them from
the items that are still in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.batch.item import ID_DIGITS
from facepipe.engine.disk import disk_errors, make_folder
from facepipe.engine.draft import draft_beside

RETRY = "retry"
"""The name of the list of `facepipe retry`, which is a part of other lists and no list of its own."""
SUFFIX = ".list"
NAME_DIGITS = 16
ID_BYTES = ID_DIGITS // 2


@dataclass(frozen=True)
class Listed:
    """The newest version of a list."""

    run: Mapping[str, Any]
    """The facts of its last run, as in the journal: `jobs` (the name of the list), `workers`, `engine`, ..."""
    ids: frozenset[bytes]


def save_list(folder: Path, run: Mapping[str, Any], ids: bytes | bytearray) -> None:
    """Replace the version of the list that `run` names. Raises DiskError."""
    name = hashlib.sha256(str(run["jobs"]).encode("utf-8", "surrogatepass")).hexdigest()[:NAME_DIGITS]
    target = folder / f"{name}{SUFFIX}"
    draft = draft_beside(target)
    with disk_errors(folder):
        make_folder(folder)
        try:
            draft.write_bytes(json.dumps(dict(run)).encode("ascii") + b"\n" + ids)
            draft.replace(target)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def read_lists(folder: Path) -> Iterator[Listed]:
    """Yield the newest version of each list; damaged files are left out."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            head, _, ids = path.read_bytes().partition(b"\n")
            run = json.loads(head)
            str(run["jobs"])  # a file without a name is damaged
            places = range(0, len(ids) - ID_BYTES + 1, ID_BYTES)
            yield Listed(run, frozenset(ids[place : place + ID_BYTES] for place in places))
