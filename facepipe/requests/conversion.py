"""Conversion of batch cells and Python values to the types of request fields, with checks of their declarations."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from facepipe.errors import UsageError
from facepipe.requests.declaration import Declared
from facepipe.settings import MAX_WHOLE

BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}
SHOWN = 200
"""Maximum number of characters of a value in a message."""


def from_text(field: Declared, value: Any) -> Any:
    """Convert a cell: text, or a number, Boolean or list of a JSON row. Raises UsageError."""
    if field.several:
        return tuple(_one_from_text(field, cell) for cell in cells_of(field, value))
    if isinstance(value, list):
        raise UsageError(f"{field.name} is {value!r}, expected {EXPECTED[field.type]}, not a list")
    return _one_from_text(field, value)


def cells_of(field: Declared, value: Any) -> list[Any]:
    """Return the elements in a cell of a field that takes several: a list, or text.

    Words are separated by spaces; paths, which may contain spaces, by semicolons.
    """
    if isinstance(value, list | tuple):
        return list(value)
    if field.type is Path:
        return [part.strip() for part in str(value).split(";") if part.strip()]
    return list(str(value).split())


def _one_from_text(field: Declared, value: Any) -> Any:
    if field.type is bool and isinstance(value, str):
        value = BOOLEANS.get(value.lower(), value)
    elif field.type in (int, float) and isinstance(value, str):
        try:
            value = field.type(value)
        except ValueError:
            raise _unexpected(field, value, _decimal_point(value)) from None
    return _checked(field, value)


def from_python(field: Declared, value: Any) -> Any:
    """Convert a Python value to the type of its field. None means that an option is not given. Raises UsageError."""
    if value is None and (field.optional or not field.required):
        return None if field.optional else field.default
    if field.several:
        given = [value] if isinstance(value, str | os.PathLike) else value
        if not isinstance(given, Iterable):
            raise _unexpected(field, value)
        return tuple(_checked(field, one) for one in given)
    return _checked(field, value)


def _checked(field: Declared, value: Any) -> Any:
    """Return a value in the type of its field. Raises UsageError for another type, or outside the bounds."""
    kind, given = field.type, value
    if type(value) is int and abs(value) > MAX_WHOLE:  # float cannot hold one of 400 digits, and repr one of 5,000
        raise UsageError(
            f"{field.name} is a number of {value.bit_length()} bits, expected {EXPECTED[kind]} of at most 64 bits"
        )
    if kind is Path and isinstance(value, str | os.PathLike):
        value = Path(value)
    elif kind is float and type(value) is int:
        value = float(value)
    elif kind is str and field.option.reads_if and isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif kind is str and type(value) in (int, float, Fraction):
        value = str(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise _unexpected(field, value)
    if isinstance(value, int | float):
        _check_bounds(field, value, given)
    return value


def _check_bounds(field: Declared, value: float, given: object) -> None:
    low, high = field.bounds
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"from {low:g} to {high:g}" if low is not None and high is not None else f"of at least {low:g}"
        raise UsageError(f"{field.name} is {given!r}, expected {EXPECTED[field.type]} {bounds}")
    if not math.isfinite(value):
        raise UsageError(f"{field.name} is {given!r}, expected a finite number")


def _decimal_point(text: str) -> str:
    """Return a hint if a number has a comma for a decimal point, as spreadsheets of some languages write it."""
    pointed = text.strip().replace(",", ".")
    return f"; write {pointed}" if re.fullmatch(r"[+-]?\d+,\d+", text.strip()) else ""


def _unexpected(field: Declared, value: object, hint: str = "") -> UsageError:
    shape = getattr(value, "shape", None)
    described = _shortened(repr(value)) if shape is None else f"an array of shape {shape}"
    return UsageError(f"{field.name} is {described}, expected {EXPECTED[field.type]}{hint}")


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
