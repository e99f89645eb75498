"""Checks of the cells of a batch, each by itself, so that a value that a million rows share is checked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from facepipe.errors import UsageError
from facepipe.motion.sliders import SLIDERS, neutral
from facepipe.requests.columns import cell_value, request_class
from facepipe.requests.declaration import Declared, declared
from facepipe.requests.resolution import fps_of
from facepipe.requests.rules import check_cell_setting, check_source_frame
from facepipe.requests.sweeps import read_sweep

CELLS = 10_000
NUMBERS = ("face", "driver_face", "reference", "source_frame")
"""Options whose text may be a number, for which every other number may stand."""


@dataclass(frozen=True)
class Cell:
    """A checked cell."""

    likeness: Any = None
    """A value that stands for all values for which a row passes the same checks; None if the cell has a fault."""
    fault: str = ""


def placeholder(name: str, suffix: str) -> str:
    """Return the placeholder of a file in a likeness, by which its name can be filled in again."""
    return f"%{name}%{suffix}"


def cell_of(command: str, column: str, value: Any) -> Cell:
    """Check a cell. The likeness is hashable: a list is a tuple."""
    return _of_list(command, column, value) if isinstance(value, list) else _of_value(command, column, value)


@lru_cache(maxsize=CELLS, typed=True)
def _of_value(command: str, column: str, value: Any) -> Cell:
    try:
        converted = cell_value(command, column, value)
        field = declared(request_class(command))[column]
        _check(field, converted)
    except UsageError as error:
        return Cell(fault=str(error))
    return Cell(_likeness(field, converted))


def _of_list(command: str, column: str, value: list[Any]) -> Cell:
    return _of_value.__wrapped__(command, column, value)


def _check(field: Declared, value: Any) -> None:
    """Raise UsageError for a value that conversion does not exclude."""
    if field.option.setting:
        shown = str(value) if isinstance(value, Path) else value
        check_cell_setting(field.option.setting, shown, field.name)
    elif field.name == "source_frame":
        check_source_frame(value, field.name)
    elif field.name == "fps":
        fps_of(value, field.name)
    elif field.name == "sweep":
        for text in value:
            read_sweep(text)


def _likeness(field: Declared, value: Any) -> Any:
    if field.several and field.type is Path:
        return tuple(placeholder(field.name, one.suffix) for one in value)
    if isinstance(value, Path):
        return str(value) if field.option.exact else placeholder(field.name, value.suffix)
    if type(value) in (int, float) and not field.option.exact:
        if field.name in SLIDERS:
            return float(neutral(field.name))
        return field.type(field.bounds.minimum or 0)
    return "1" if field.name in NUMBERS and value.isdecimal() else value
