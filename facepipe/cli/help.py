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

ARGUMENTS = "Arguments"
LAST = (FACES, MOTION, SPEECH, RENDERING, PROVENANCE, RUN)
"""Headings after all others, in this order."""
NAMES = {bool: None, int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}


class Grouped(TyperCommand):
    """A command whose help has a section for each panel: arguments, the result, its own panels, then LAST."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                sections.setdefault(_heading(param), []).append((_name(*record), _plain(record[1])))
        for heading in _ordered(sections):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


def _heading(param: Any) -> str:
    if param.param_type_name == "argument":
        return ARGUMENTS
    return getattr(param, "rich_help_panel", None) or RUN


def _ordered(headings: dict[str, Any]) -> Iterator[str]:
    first = [ARGUMENTS, RESULT]
    own = [heading for heading in headings if heading not in (*first, *LAST)]
    return (heading for heading in (*first, *own, *LAST) if heading in headings)


def _name(name: str, _help: str) -> str:
    """Return the name of a parameter without the type of an argument, which its text says."""
    return re.sub(r" <.*>$", "", name)


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
