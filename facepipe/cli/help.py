"""The help of a command: options under headings, by what they shape.

The headings are typer's `rich_help_panel`, printed as plain text: rich's boxes leave the texts half the width, and
loading rich would make `--help` half as slow again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from facepipe.requests.declaration import Declared
from facepipe.requests.groups import FACES, MOTION, PROVENANCE, RENDERING, RESULT, RUN, SPEECH

ARGUMENTS, OPTIONS = "Arguments", "Options"
FIRST = (ARGUMENTS, RESULT, OPTIONS)
LAST = (FACES, MOTION, SPEECH, RENDERING, PROVENANCE, RUN)
"""Headings before and after all others, in this order."""
NAMES = {bool: None, int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}
TYPES = {"path": "PATH", "str": "TEXT", "int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER"}
"""Placeholders of types, as typer names them."""


class Grouped(TyperCommand):
    """A command whose help has a section for each panel: arguments, the result, its own panels, then LAST."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        params = self.get_params(ctx)
        plain = {_panel(param) for param in params} <= {"", RUN}
        for param in params:
            if record := param.get_help_record(ctx):
                heading = ARGUMENTS if _is_argument(param) else OPTIONS if plain else _heading(param)
                sections.setdefault(heading, []).append((_name(param, record[0]), _plain(record[1])))
        for heading in _ordered(sections):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line; arguments have the names that their help has."""
        pieces = (re.sub(r"[{}]", "", piece) for piece in super().collect_usage_pieces(ctx))
        return [piece.upper() if re.fullmatch(r"\W*[a-z_]+\W*", piece) else piece for piece in pieces]


def _is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def _panel(param: Any) -> str:
    return getattr(param, "rich_help_panel", None) or ""


def _heading(param: Any) -> str:
    return _panel(param) or (RUN if param.name == "help" else OPTIONS)


def _ordered(headings: dict[str, Any]) -> Iterator[str]:
    own = [heading for heading in headings if heading not in (*FIRST, *LAST)]
    return (heading for heading in (*FIRST, *own, *LAST) if heading in headings)


def _name(param: Any, name: str) -> str:
    """Return the name of a parameter with a plain placeholder; an argument has none."""
    if _is_argument(param):
        return re.sub(r" <.*>$", "", name) if param.metavar else str(param.name).upper()
    return re.sub(r"<([^<>]*)>", lambda found: TYPES.get(found.group(1), found.group(1)), name)


def _plain(text: str) -> str:
    """Return a help text with bounds in words."""
    text = re.sub(r"([-\d.]+)<=x<=([-\d.]+)", r"\1 to \2", text)
    return re.sub(r"x>=([-\d.]+)", r"\1 or more", text)


def help_of(field: Declared) -> str:
    """Return the help text of a field, with the span of useful values."""
    span = field.option.span
    return field.option.help + (f"  [{span[0]:g} to {span[1]:g}]" if span else "")


def metavar_of(field: Declared) -> str | None:
    """Return the placeholder of a field's value: its name, its choices, or its type."""
    if field.option.positional:
        return field.option.metavar or field.name.upper()
    return field.option.metavar or "|".join(field.choices) or NAMES[field.type]
