"""The manifest of an evaluation: a list of drivers, sources and results, or a folder. See docs/evaluation.md."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from facepipe.dataset.split import split_items
from facepipe.errors import FacepipeError, InputError, PrecheckError

Task = Literal["same", "cross"]
COLUMNS = ("name", "driver", "source", "result")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


@dataclass(frozen=True)
class Case:
    """One clip to judge."""

    name: str
    """Unique; the name in the report and of the files."""
    driver: Path
    source: Path | None = None
    """The portrait; None if the driver's first frame is the source."""
    result: Path | None = None
    """A finished video; None if the renderer under test makes it."""

    def inputs(self) -> Mapping[str, Path]:
        """Return the files of the case by role."""
        roles = {"driver": self.driver, "source": self.source, "result": self.result}
        return {role: path for role, path in roles.items() if path}


def read_cases(manifest: Path, task: Task) -> list[Case]:
    """Read the cases of a manifest, in its order.

    A manifest is a CSV file (columns `driver`, `source`, `result`, `name` in any order), a JSONL file, a folder of
    videos, or a folder with a `sources.tsv`, whose unseen identities are taken. Raises InputError, or PrecheckError
    that names all missing files.
    """
    if manifest.is_dir():
        cases = _data_cases(manifest, task) if (manifest / "sources.tsv").is_file() else _folder_cases(manifest, task)
    else:
        cases = list(_listed_cases(manifest, task))
    if not cases:
        raise InputError(f"{manifest}: lists no cases; see docs/evaluation.md for the format")
    missing: list[FacepipeError] = [
        InputError(f"{manifest}: {path} does not exist")
        for case in cases
        for path in (case.driver, case.source, case.result)
        if path and not path.is_file()
    ]
    if missing:
        raise PrecheckError(missing)
    return _distinct(cases)


def _data_cases(data: Path, task: Task) -> list[Case]:
    unseen = split_items(data)[1]
    clips = [item for item in unseen if item.kind == "clip"]
    portraits = [item for item in unseen if item.kind == "portrait"]
    if not clips:
        raise InputError(
            f"{data}: has no clip of an unseen identity, and trainings may have used the others; list clips in a CSV "
            "file to evaluate them anyway"
        )
    if task == "same":
        return [Case(clip.path.stem, clip.path) for clip in clips]
    pairs = []
    for place, clip in enumerate(clips):
        others = [portrait for portrait in portraits if portrait.identity != clip.identity]
        if others:
            source = others[place % len(others)].path
            pairs.append(Case(f"{source.stem}--{clip.path.stem}", clip.path, source))
    return pairs


def _folder_cases(folder: Path, task: Task) -> list[Case]:
    if task == "cross":
        raise InputError(
            f"{folder}: --task cross needs sources, which a folder of videos does not have; list pairs in a CSV file"
        )
    return [Case(path.stem, path) for path in sorted(folder.iterdir()) if path.suffix.lower() in VIDEO_SUFFIXES]


def _listed_cases(manifest: Path, task: Task) -> Iterator[Case]:
    """Read a CSV or JSONL file; paths are relative to its folder."""
    for place, row in _rows(manifest):
        where = f"{manifest}, line {place}"
        if unknown := sorted(set(row) - set(COLUMNS)):
            raise InputError(f"{where}: unknown column {unknown[0]!r}; expected {', '.join(COLUMNS)}")
        if not row.get("driver"):
            raise InputError(f"{where}: has no driver, the video with which the result is compared")
        if task == "cross" and not row.get("source"):
            raise InputError(f"{where}: has no source, the portrait, which --task cross needs")
        driver, source, result = (
            manifest.parent / row[column] if row.get(column) else None for column in ("driver", "source", "result")
        )
        assert driver is not None
        # In the task "same" the first frame of the driver is the source, and the column is ignored.
        source = source if task == "cross" else None
        stem = f"{source.stem}--{driver.stem}" if source else driver.stem
        yield Case(row.get("name") or stem, driver, source, result)


def _rows(manifest: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield line number and row; empty lines and lines that begin with # are skipped."""
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{manifest}: cannot be read ({error}); give a CSV or JSONL file, or a folder") from error
    lines = [
        (place, line) for place, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] != "#"
    ]
    if lines and lines[0][1].lstrip().startswith("{"):
        yield from ((place, _json_row(manifest, place, line)) for place, line in lines)
        return
    table = csv.DictReader(line for _, line in lines)
    if "driver" not in (table.fieldnames or ()):
        raise InputError(
            f"{manifest}: begins with {lines[0][1] if lines else ''!r}, expected a header with the column driver"
        )
    for (place, _), row in zip(lines[1:], table, strict=False):
        if None in row or None in row.values():
            raise InputError(f"{manifest}, line {place}: the number of fields differs from the header")
        yield place, {name: value.strip() for name, value in row.items()}


def _json_row(manifest: Path, place: int, line: str) -> Mapping[str, str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{manifest}, line {place}: is not JSON ({error})") from error
    if not isinstance(row, dict) or any(not isinstance(value, str | None) for value in row.values()):
        raise InputError(f'{manifest}, line {place}: expected an object of texts, as in {{"driver": "clip.mp4"}}')
    return {name: value or "" for name, value in row.items()}


def _distinct(cases: list[Case]) -> list[Case]:
    """Return the cases with unique names that are valid file names."""
    taken: dict[str, int] = {}
    named = []
    for case in cases:
        name = (
            "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in case.name).lstrip(".") or "_"
        )
        taken[name] = count = taken.get(name, 0) + 1
        while count > 1 and f"{name}-{count}" in taken:
            count += 1
        if count > 1:
            name = f"{name}-{count}"
            taken[name] = 1
        named.append(replace(case, name=name))
    return named
