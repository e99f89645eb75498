"""The difference between two sets of settings as text: "strength: 1.0 -> 0.7"."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

MAX_LENGTH = 40
MAX_NAMED = 3
_ABSENT = object()


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one text per value that differs, sorted by name. The values of nested objects are compared one by one."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    differing = [name for name in sorted({*before, *after}) if before.get(name, _ABSENT) != after.get(name, _ABSENT)]
    ends = Counter(name[-1] for name in differing)
    return [
        f"{name[-1] if ends[name[-1]] == 1 else '.'.join(name)}: {_pair(before.get(name), after.get(name))}"
        for name in differing
    ]


def summary(texts: list[str]) -> str:
    """Return the first of many changes and the number of the others."""
    more = len(texts) - MAX_NAMED
    return ", ".join(texts[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _leaves(value: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in value.items():
        if isinstance(one, Mapping):
            yield from _leaves(one, (*above, str(name)))
        else:
            yield (*above, str(name)), one


def _pair(old: Any, new: Any) -> str:
    if isinstance(old, float) != isinstance(new, float) and _is_number(old) and _is_number(new):
        old, new = float(old), float(new)
    first, second = _short(old), _short(new)
    return "another value" if first == second else f"{first} -> {second}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) and value else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."
