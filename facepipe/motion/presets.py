"""Preset files: the sliders and sweeps of an edit as JSON. See docs/formats.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facepipe.errors import InputError
from facepipe.media.files import check_input, draft_of, make_parent
from facepipe.motion.sliders import SLIDERS, Edit

FORMAT, VERSION = "facepipe-preset", 1
MAX_VALUE = 1e6
"""No slider reaches this value; its own bounds are checked when it is used."""


def save_preset(edit: Edit, path: Path) -> None:
    """Write the sliders and sweeps of an edit as JSON, atomically. Raises DiskError."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "sliders": dict(edit.values),
        "sweeps": {name: list(ends) for name, ends in edit.sweeps.items()},
    }
    make_parent(path)
    with draft_of(path) as draft:
        draft.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_preset(path: Path) -> Edit:
    """Read a preset. Raises InputError with the reason if the file is not a valid preset. Bounds are not checked."""
    check_input(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a preset ({error}). `facepipe edit --save-preset FILE` writes one.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not a preset: its format is not {FORMAT!r}. See docs/formats.md.")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} is a preset of version {content.get('version')}, but this facepipe reads version {VERSION}. "
            "Save it again, or update facepipe."
        )
    unknown = sorted(set(content) - {"format", "version", "sliders", "sweeps"})
    if unknown:
        raise InputError(f"{path}: {unknown[0]!r} is not a key of a preset. Remove it.")
    values = _section(path, content, "sliders", 1)
    sweeps = _section(path, content, "sweeps", 2)
    return Edit(
        values={name: ends[0] for name, ends in values.items()},
        sweeps={name: (ends[0], ends[1]) for name, ends in sweeps.items()},
    )


def _section(path: Path, content: dict[str, Any], name: str, count: int) -> dict[str, list[float]]:
    """Return one section of a preset: `count` numbers for each slider."""
    section = content.get(name, {})
    if not isinstance(section, dict):
        raise InputError(f"{path}: {name!r} is {section!r}, expected an object of sliders. See docs/formats.md.")
    numbers = {}
    for slider, value in section.items():
        given = [value] if count == 1 else value
        if slider not in SLIDERS:
            raise InputError(f"{path}: unknown slider {slider!r}. `facepipe edit --list` shows all sliders.")
        if not isinstance(given, list) or len(given) != count or any(type(one) not in (int, float) for one in given):
            expected = "a number" if count == 1 else "two numbers, [from, to]"
            raise InputError(f"{path}: slider {slider!r} is {value!r:.200}, expected {expected}.")
        if any(not abs(one) <= MAX_VALUE for one in given):  # not a number, or too large for a float
            raise InputError(f"{path}: slider {slider!r} is beyond all bounds. `facepipe edit --list` shows them.")
        numbers[slider] = [float(one) for one in given]
    return numbers
