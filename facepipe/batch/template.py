"""Templates of result paths: text with the placeholders of PLACES, which are filled in for each item."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from functools import lru_cache
from string import Formatter

from facepipe.batch.item import Item
from facepipe.errors import UsageError

DEFAULT_TEMPLATE = {True: "{source}--{driving}.{ext}", False: "{source}--{command}.{ext}"}
"""The template for items with a driver or sound, and without."""
PARENTS = ("", ".", "..")


def placed(item: Item, template: str, ext: str) -> Item:
    """Return the item with the path of its result: its own output, else `template`, with placeholders filled in.

    What is filled in never contains a step to a folder above. Raises UsageError for anything but a bare placeholder,
    and for a file whose name cannot be a part of a path.
    """
    wanted = item.output or template or DEFAULT_TEMPLATE[len(item.inputs) > 1]
    output = wanted
    if "\0" in wanted:
        raise UsageError(f"the output {wanted!r} contains a NUL character; remove it")
    if "{" in wanted or "}" in wanted:
        parts = [text if literal else PLACES[text](item, ext) for literal, text in _parsed(wanted)]
        output = "".join(parts)
        if (False, "folder") in _parsed(wanted) or (False, "driving_folder") in _parsed(wanted):
            output = posixpath.normpath(output)  # a file of the current folder has an empty one
    return Item(item.command, item.inputs, item.options, output, item.sample, item.id)


@lru_cache(maxsize=1000)
def _parsed(template: str) -> tuple[tuple[bool, str], ...]:
    """Return the parts of a template: (True, literal text) and (False, placeholder)."""
    parts: list[tuple[bool, str]] = []
    try:
        for text, name, layout, conversion in Formatter().parse(template):
            parts += [(True, text)] if text else []
            if name is None:
                continue
            if name not in PLACES or layout or conversion:
                shown = f"{{{name}{'!' + conversion if conversion else ''}{':' + layout if layout else ''}}}"
                raise ValueError(shown)
            parts.append((False, name))
    except ValueError as error:
        known = " ".join(f"{{{name}}}" for name in PLACES)
        raise UsageError(
            f"the output {template!r} has an invalid placeholder ({error}); expected {known}, "
            "or {{ and }} for braces"
        ) from None
    return tuple(parts)


def stem_and_suffix(path: str) -> tuple[str, str]:
    """Return `PurePath(path).stem` and `.suffix`, a tenth as slow: a batch asks a million times."""
    name = path.replace(os.sep, "/").rstrip("/").rpartition("/")[2]
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def _stem(item: Item, position: int) -> str:
    path = _file(item, position)
    stem = stem_and_suffix(path)[0]
    if path and stem in PARENTS:
        raise UsageError(
            f"the name of {path!r} is {stem!r} without its suffix, which is a folder and not a name; rename the file, "
            "or use {id} in the template"
        )
    return stem


def _folder(item: Item, position: int) -> str:
    """Return the folder of an input without root, drive and steps upwards."""
    path = _file(item, position)
    folder = os.path.splitdrive(os.path.dirname(path))[1].replace(os.sep, "/")  # noqa: PTH120
    return "/".join(part for part in posixpath.normpath(folder).split("/") if part not in PARENTS)


def _file(item: Item, position: int) -> str:
    files = list(item.inputs.values())
    return files[position] if position < len(files) else ""


def _command(item: Item) -> str:
    # A command that does not exist is reported later, but its name must not be a path until then.
    return item.command.replace("/", "_").replace(os.sep, "_")


PLACES: Mapping[str, Callable[[Item, str], str]] = {
    "id": lambda item, _: item.id,
    "source": lambda item, _: _stem(item, 0),
    "driving": lambda item, _: _stem(item, 1),
    "folder": lambda item, _: _folder(item, 0),
    "driving_folder": lambda item, _: _folder(item, 1),
    "sample": lambda item, _: str(item.sample),
    "command": lambda item, _: _command(item),
    "ext": lambda _, ext: ext,
}
"""Placeholders: functions that return the text of an item, whose result has the suffix `ext`."""
