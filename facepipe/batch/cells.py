"""The values that a cell of a job list can have, before the column decides which of them it takes."""

from __future__ import annotations

import math
import os
from typing import Any

from facepipe.errors import UsageError
from facepipe.settings import MAX_WHOLE

MAX_TEXT = 65_536
"""Maximum number of characters of a text: no path is longer."""
SHOWN = 60


def check_cell(name: str, value: Any) -> None:
    """Raise UsageError unless a value is text, a finite number, a Boolean, or a list of these.

    Text can be the name of a file: it has no NUL, and no halves of surrogate pairs except those that stand for the
    bytes of a name which is not UTF-8.
    """
    for one in value if isinstance(value, list) else (value,):
        if not isinstance(one, str | int | float):
            raise UsageError(f"{name} is {shown(value)}, expected text, a number, true, false, or a list of these")
        if isinstance(one, str):
            _check_text(name, one)
        elif isinstance(one, float) and not math.isfinite(one):
            raise UsageError(f"{name} is {one!r}, expected a finite number")
        elif abs(one) > MAX_WHOLE and isinstance(one, int):
            raise UsageError(f"{name} is {shown(one)}, expected a number of at most 64 bits")


def _check_text(name: str, text: str) -> None:
    if text.isascii() and "\0" not in text and len(text) <= MAX_TEXT:
        return
    if "\0" in text:
        raise UsageError(f"{name} is {shown(text)}, which contains a NUL character; remove it")
    if len(text) > MAX_TEXT:
        raise UsageError(f"{name} has {len(text)} characters, expected at most {MAX_TEXT}")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise UsageError(
            f"{name} is {shown(text)}, which contains half of a surrogate pair and is not text; correct the cell"
        ) from None


def sample_of(given: Any) -> int:
    """Return the number of a sample. Raises UsageError."""
    text = str(given)
    if not (text.isascii() and text.isdecimal() and len(text) < 19) or isinstance(given, bool):
        raise UsageError(f"sample is {shown(given)}, expected a whole number from 0")
    return int(text)


def shown(value: Any) -> str:
    """Return a value for a message, shortened if it is long."""
    # Python refuses to print a whole number of more than 4,300 digits.
    text = f"a number of {value.bit_length()} bits" if type(value) is int and abs(value) > MAX_WHOLE else repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
