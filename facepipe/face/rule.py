"""The rules by which --face and --driver-face choose a face, or the reference picture that they name."""

from __future__ import annotations

from pathlib import Path

SIDES = ("largest", "left", "right")
MAX_DIGITS = 9
EXPECTED = "largest, left, right, a number from 1, counted from the left, or a picture of the person"


def is_rule(face: str) -> bool:
    """Return whether a value is a rule: largest, left, right, or a number from 1."""
    return face in SIDES or (face.isdecimal() and len(face) <= MAX_DIGITS and int(face) >= 1)


def is_reference(face: str) -> bool:
    """Return whether a value is the path of a reference picture: no rule, with a suffix of letters or a folder."""
    path = Path(face)
    return not is_rule(face) and (path.suffix[1:].isalpha() or len(path.parts) > 1)
