"""Pairs of sources and drivers from folders and patterns: the product, or one by one."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal

from facepipe.errors import UsageError
from facepipe.pipeline.items import find_items, is_motion, is_track_or_medium

Pairing = Literal["product", "zip", "list"]
COLUMNS = ("source", "driving")


def find_files(pattern: str) -> list[str]:
    """Return the files in a folder and its subfolders, or those that match a pattern (with `**`), sorted.

    Raises UsageError if there are none.
    """
    path = Path(pattern)
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises an error for a name that is too long)
        wanted = find_items([path], Path(), lambda file: is_track_or_medium(file) or is_motion(file), kinds="media")
        return [str(item.path) for item in wanted]
    if os.path.isfile(path):  # noqa: PTH113
        return [pattern]
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 (pathlib does not accept absolute patterns)
    found = sorted(name for name in names if os.path.isfile(name))  # noqa: PTH113
    if not found:
        raise UsageError(
            f"{pattern!r} matches no file; check the pattern, and quote it so that the shell does not expand it"
        )
    return found


def pair(pairing: Pairing, patterns: Sequence[str], column: str = "driving") -> Iterator[Mapping[str, Any]]:
    """Yield rows from a pattern for sources and one for the files of `column` ("driving" or "sound").

    Raises UsageError for `zip` with unequal lengths, for more than two patterns, and for a pattern without matches.
    """
    if not 1 <= len(patterns) <= len(COLUMNS):
        raise UsageError(
            f"--pair {pairing} needs one pattern for sources and at most one for drivers, got {len(patterns)} patterns"
        )
    columns = [find_files(pattern) for pattern in patterns]
    lengths = [len(files) for files in columns]
    if pairing == "zip" and len(set(lengths)) > 1:
        raise UsageError(
            f"--pair zip needs equal numbers of sources and drivers, but {patterns[0]!r} matches {lengths[0]} files "
            f"and {patterns[1]!r} {lengths[1]}; list the pairs in a CSV file, or use --pair product"
        )
    rows = zip(*columns, strict=True) if pairing == "zip" else product(*columns)
    names = ("source", column)
    return (dict(zip(names, row, strict=False)) for row in rows)
