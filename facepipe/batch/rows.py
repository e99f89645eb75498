"""Job lists: CSV with a header, or one JSON object per line. Comments and blank lines are skipped."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from facepipe.batch.cells import check_cell, sample_of, shown
from facepipe.batch.item import Item, identified
from facepipe.errors import InputError, UsageError

ROLES = {"source": "source", "driving": "driving", "driver": "driving", "sound": "sound"}
NAMES = (*ROLES, "command", "output", "out")
"""Columns that hold one path or name."""
COMMENT = "#"
DELIMITERS = ",;\t"
"""Delimiters of CSV files. Spreadsheets write a semicolon where the comma is the decimal point."""
Row = tuple[int, Mapping[str, Any]]
"""The number of a row's first line, and its cells by column."""


def read_rows(path: Path) -> Iterator[Row | UsageError]:
    """Yield the rows of a list, and an error in place of each row that cannot be read.

    The text is UTF-8, or UTF-16 with a byte order mark. Raises InputError if the file cannot be read.
    """
    try:
        with path.open("rb") as raw:
            wide = raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        with path.open(encoding="utf-16" if wide else "utf-8-sig", newline="") as stream:
            yield from _rows(stream, str(path), path.suffix.lower())
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"{path}: cannot be read as a job list ({reason}); give a CSV file (from a spreadsheet: CSV UTF-8) or JSONL"
        ) from error


def _rows(stream: TextIO, name: str, suffix: str) -> Iterator[Row | UsageError]:
    lines = _content_lines(stream)
    first = next(lines, None)
    if first is None:
        return
    as_json = suffix in (".jsonl", ".ndjson") or (suffix != ".csv" and first[1].lstrip().startswith("{"))
    if as_json:
        yield from _read_json(chain([first], lines), name)
        return
    given = first[1].strip().lower()
    if given.startswith("sep=") and len(given) == len("sep=") + 1:  # the first line of spreadsheets that name it
        yield from _read_csv(lines, name, given[-1])
    else:
        yield from _read_csv(chain([first], lines), name, _delimiter(first[1]))


def _content_lines(stream: TextIO) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of lines that are not blank and not comments."""
    for number, line in enumerate(stream, start=1):
        if line.strip() and not line.lstrip().startswith(COMMENT):
            yield number, line


def _delimiter(header: str) -> str:
    """Return the delimiter by which a header has the most columns; the first of DELIMITERS in doubt."""
    return max(DELIMITERS, key=header.count)


def _read_json(lines: Iterable[tuple[int, str]], name: str) -> Iterator[Row | UsageError]:
    for number, line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
            yield UsageError(f"{name}, line {number}: is not JSON ({reason}); expected one object per line")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            yield UsageError(
                f'{name}, line {number}: is a JSON {type(row).__name__}, expected an object such as {{"source": …}}'
            )


def _read_csv(lines: Iterator[tuple[int, str]], name: str, delimiter: str) -> Iterator[Row | UsageError]:
    numbers: list[int] = []

    def texts() -> Iterator[str]:
        for number, line in lines:
            numbers.append(number)
            yield line

    table = csv.reader(texts(), strict=True, delimiter=delimiter)
    header: list[str] | None = None
    while True:
        try:
            cells = next(table, None)
        except csv.Error as error:
            yield UsageError(f"{name}, line {numbers[0]}: is not valid CSV ({error}); check the quotes")
            numbers.clear()
            continue
        if cells is None:
            return
        number = numbers[0]
        numbers.clear()
        if header is None:
            header = [cell.strip() for cell in cells]
            if fault := _header_fault(header):
                raise UsageError(f"{name}, line {number}: {fault}")
        elif fault := _cells_fault(header, cells):
            yield UsageError(f"{name}, line {number}: {fault}")
        elif row := {column: text for column, cell in zip(header, cells, strict=False) if (text := cell.strip())}:
            yield number, row  # spreadsheets write rows of empty cells


def _header_fault(header: list[str]) -> str:
    names = [plain(column) for column in header]
    if not any(column in ROLES or column == "command" for column in names):
        return f"expected a header with the column source, found {', '.join(map(repr, header))}"
    twice = sorted({column for column in names if column and names.count(column) > 1})
    return f"the column {twice[0]!r} appears twice; remove one" if twice else ""


def _cells_fault(header: list[str], cells: list[str]) -> str:
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        return f"has {len(cells)} cells, but the header has {len(header)}; quote cells that contain the delimiter"
    unnamed = next((cell for column, cell in zip(header, cells, strict=False) if not column and cell.strip()), "")
    return f"has the cell {unnamed!r} in a column without a name; name the column in the header" if unnamed else ""


def spool(stream: TextIO, path: Path) -> None:
    """Write standard input to a file, because a list is read more than once: for the check, and for the work."""
    with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for block in iter(lambda: stream.read(io.DEFAULT_BUFFER_SIZE), ""):
            file.write(block)


def item_of_row(row: Mapping[str, Any], *, command: str, common: Mapping[str, Any]) -> Item:
    """Return the item of a row. `common` holds cells for all rows that do not set them.

    Raises UsageError for a row without source, and for cells that are not text, finite numbers, Booleans or lists of
    these.
    """
    cells = {plain(name): value for name, value in {**common, **row}.items() if value is not None and value != ""}
    for name, value in cells.items():
        check_cell(name, value)
        if name in NAMES and isinstance(value, list | bool):
            raise UsageError(f"{name} is {shown(value)}, expected one path or name")
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
    sample = sample_of(cells.pop("sample", 0))
    return identified(Item(named, inputs, cells, output, sample))


@lru_cache(maxsize=10_000)
def plain(name: str) -> str:
    """Return the name of the column that a header or an option means."""
    return name.strip().lstrip("-").replace("-", "_").lower()
