"""Pairs out of folders and patterns: each with each, or side by side."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal

from facepipe.errors import UsageError
from facepipe.pipeline.items import find_items, is_motion, is_track_or_medium

Pairing = Literal["product", "zip", "list"]
COLUMNS = ("source", "driving")


def find_files(pattern: str) -> list[str]:
    """Return the files of a folder and those below it, or those that a pattern (`**` included) matches, sorted.

    Raises UsageError where there is none.
    """
    path = Path(pattern)
    if path.is_dir():
        wanted = find_items([path], Path(), lambda file: is_track_or_medium(file) or is_motion(file), kinds="media")
        return [str(item.path) for item in wanted]
    if path.is_file():
        return [pattern]
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 (pathlib takes no pattern that is absolute)
    found = sorted(name for name in names if Path(name).is_file())
    if not found:
        raise UsageError(f"{pattern!r} matches no file; check it, and quote it so that the shell leaves it alone")
    return found


def pair(pairing: Pairing, patterns: Sequence[str], column: str = "driving") -> Iterator[Mapping[str, Any]]:
    """Yield rows out of one pattern for sources and one for what drives them (`column` says as what).

    Raises UsageError for a `zip` of unequal lengths, for more patterns than two, and where one matches nothing.
    """
    if not 1 <= len(patterns) <= len(COLUMNS):
        raise UsageError(
            f"--pair {pairing} takes a pattern for the sources and one for the drivers, got {len(patterns)}"
        )
    columns = [find_files(pattern) for pattern in patterns]
    lengths = [len(files) for files in columns]
    if pairing == "zip" and len(set(lengths)) > 1:
        raise UsageError(
            f"--pair zip needs as many sources as drivers, but {patterns[0]!r} gives {lengths[0]} files and "
            f"{patterns[1]!r} {lengths[1]}; name the pairs in a CSV file, or say --pair product"
        )
    rows = zip(*columns, strict=True) if pairing == "zip" else product(*columns)
    names = ("source", column)
    return (dict(zip(names, row, strict=False)) for row in rows)
