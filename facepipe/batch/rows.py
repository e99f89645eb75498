"""Job lists: CSV with a header, or one JSON object per line. Comments and blank lines are skipped."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from facepipe.batch.item import Item, identified
from facepipe.errors import InputError, UsageError

ROLES = {"source": "source", "driving": "driving", "driver": "driving", "sound": "sound"}
COMMENT = "#"
Row = tuple[int, Mapping[str, Any]]
"""The number of a row's first line, and its cells by column."""


def read_rows(path: Path) -> Iterator[Row | UsageError]:
    """Yield the rows of a list, and an error in place of each row that cannot be read.

    Raises InputError if the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _rows(stream, str(path), path.suffix.lower())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{path}: cannot be read as a job list ({reason}); give a CSV or JSONL file") from error


def _rows(stream: TextIO, name: str, suffix: str) -> Iterator[Row | UsageError]:
    lines = _content_lines(stream)
    first = next(lines, None)
    if first is None:
        return
    whole = _chained(first, lines)
    as_json = suffix in (".jsonl", ".ndjson") or (suffix != ".csv" and first[1].lstrip().startswith("{"))
    yield from _read_json(whole, name) if as_json else _read_csv(whole, name)


def _content_lines(stream: TextIO) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of lines that are not blank and not comments."""
    for number, line in enumerate(stream, start=1):
        if line.strip() and not line.lstrip().startswith(COMMENT):
            yield number, line


def _chained(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _read_json(lines: Iterable[tuple[int, str]], name: str) -> Iterator[Row | UsageError]:
    for number, line in lines:
        try:
            row = json.loads(line)
        except ValueError as error:
            yield UsageError(f"{name}, line {number}: is not JSON ({error}); expected one object per line")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            yield UsageError(
                f'{name}, line {number}: is a JSON {type(row).__name__}, expected an object such as {{"source": …}}'
            )


def _read_csv(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Row | UsageError]:
    numbers: list[int] = []

    def texts() -> Iterator[str]:
        for number, line in lines:
            numbers.append(number)
            yield line

    table = csv.reader(texts(), strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(table, None)
        except csv.Error as error:
            yield UsageError(f"{name}, line {numbers[-1]}: is not valid CSV ({error}); check the quotes")
            continue
        if cells is None:
            return
        number = numbers[0]
        numbers.clear()
        if header is None:
            header = [cell.strip() for cell in cells]
            if fault := _header_fault(header):
                raise UsageError(f"{name}, line {number}: {fault}")
        elif len(cells) > len(header) and any(cells[len(header) :]):
            yield UsageError(
                f"{name}, line {number}: has {len(cells)} cells, but the header has {len(header)}; quote cells that "
                "contain commas"
            )
        else:
            yield number, {column: cell.strip() for column, cell in zip(header, cells, strict=False) if cell.strip()}


def _header_fault(header: list[str]) -> str:
    if not any(_plain(column) in ROLES or _plain(column) == "command" for column in header):
        return f"expected a header with the column source, found {', '.join(map(repr, header))}"
    twice = sorted({column for column in header if header.count(column) > 1})
    return f"the column {twice[0]!r} appears twice; remove one" if twice else ""


def spool(stream: TextIO, path: Path) -> None:
    """Write standard input to a file, because a list is read more than once: for the check, and for the work."""
    with path.open("w", encoding="utf-8") as file:
        for block in iter(lambda: stream.read(io.DEFAULT_BUFFER_SIZE), ""):
            file.write(block)


def item_of_row(row: Mapping[str, Any], *, command: str, common: Mapping[str, Any]) -> Item:
    """Return the item of a row. `common` holds cells for all rows that do not set them.

    Raises UsageError for a row without source, and for cells that are not text, numbers, Booleans or lists of these.
    """
    cells = {_plain(name): value for name, value in {**common, **row}.items() if value is not None and value != ""}
    named = str(cells.pop("command", command))
    inputs: dict[str, str] = {}
    for column in ("source", "driving", "driver", "sound"):
        if column in cells:
            role = ROLES[column]
            if role in inputs:
                raise UsageError("has both columns driving and driver; use only one of them")
            inputs[role] = str(cells.pop(column))
    if not inputs:
        raise UsageError("has no source; fill in the column source")
    output = str(cells.pop("output", cells.pop("out", "")))
    given = cells.pop("sample", 0)
    sample = -1
    with suppress(ValueError, TypeError):
        sample = int(given)
    if sample < 0 or str(sample) != str(given):
        raise UsageError(f"sample is {given!r}, expected a whole number from 0")
    for name, value in cells.items():
        if not isinstance(value, str | int | float | bool | list):
            raise UsageError(f"{name} is {value!r}, expected text, a number, true, false, or a list of these")
    return identified(Item(named, inputs, cells, output, sample))


def _plain(name: str) -> str:
    return name.strip().lstrip("-").replace("-", "_")
