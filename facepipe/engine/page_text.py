"""Text of users and files, such as names and messages, in pages and tables: printable and without effect."""

from __future__ import annotations

import html

from facepipe.engine.progress import printable

FORMULA_STARTS = ("=", "+", "-", "@")


def escape(text: str) -> str:
    """Return a text for HTML. Control characters, direction marks and bytes that are not UTF-8 become escapes."""
    return "\n".join(html.escape(printable(line)) for line in text.split("\n"))


def cell(text: str) -> str:
    """Return a text for a CSV cell: printable, and with an apostrophe before what a spreadsheet would compute."""
    text = printable(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
