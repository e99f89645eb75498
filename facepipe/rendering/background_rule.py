"""The values of --background. This module imports neither NumPy nor torch, so that the command line can check them."""

from __future__ import annotations

import os
import re
from pathlib import Path

AUTO, SOURCE, TRANSPARENT = "auto", "source", "transparent"
MATTING = "matting"
"""Registry name of the network that finds the person in frames of renderers without alpha."""
NAMED = {"white": "#ffffff", "black": "#000000"}
WORDS = (AUTO, SOURCE, *NAMED, TRANSPARENT)
EXPECTED = "auto, source, white, black, transparent, a colour as '#RRGGBB' in quotes, or a picture (PATH.jpg)"
# Without the sign too, because an unquoted one begins a comment in a shell.
_COLOUR = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.ASCII | re.IGNORECASE)


def colour_of(background: str) -> str:
    """Return a colour, by name or digits as in CSS, as "#rrggbb"; empty if the value is no colour."""
    if background in NAMED:
        return NAMED[background]
    found = _COLOUR.fullmatch(background)
    if found is None:
        return ""
    digits = found[1].lower()
    return f"#{digits}" if len(digits) == 6 else "#" + "".join(2 * digit for digit in digits)


def is_picture(background: str) -> bool:
    """Return whether a value is the path of a picture: no word or colour, with a suffix or a folder."""
    if background in WORDS or colour_of(background):
        return False
    return "/" in background or os.sep in background or Path(background).suffix[1:].isalnum()


def is_background(background: str) -> bool:
    """Return whether a text can be a background."""
    return background in WORDS or bool(colour_of(background)) or is_picture(background)
