"""An item: one row of a job list, with command, inputs, options and output."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from facepipe.engine.fingerprint import canonical_json
from facepipe.engine.stage import Json
from facepipe.errors import UsageError

ID_DIGITS = 20
PLACES = ("id", "source", "driving", "sample", "ext")
DEFAULT_TEMPLATE = {True: "{source}--{driving}.{ext}", False: "{source}--{command}.{ext}"}
"""The template for items with a driver or sound, and without."""


@dataclass(frozen=True)
class Item:
    """One item of a batch. Paths are as written in the row, so that a folder can be mounted anywhere.

    The id is a hash of the row. It does not depend on the position in the list or on the output template.
    """

    command: str
    inputs: Mapping[str, str]
    """Files by role: source, and driving or sound."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """Options by name, with underscores and without leading dashes."""
    output: str = ""
    """The path of the result; may contain placeholders until `placed`."""
    sample: int = 0
    id: str = ""

    @property
    def label(self) -> str:
        """The name of the item in messages."""
        return " ".join((self.command, *self.inputs.values(), *([f"#{self.sample}"] if self.sample else [])))

    def as_json(self) -> dict[str, Any]:
        """Return the item as JSON, for `item_of`."""
        return {
            "command": self.command,
            "inputs": dict(self.inputs),
            "options": dict(self.options),
            "output": self.output,
            "sample": self.sample,
            "id": self.id,
        }


def item_of(content: Mapping[str, Any]) -> Item:
    """Read the JSON of an item. Raises KeyError or TypeError for other content."""
    return Item(**{name: content[name] for name in ("command", "inputs", "options", "output", "sample", "id")})


def identified(item: Item) -> Item:
    """Return the item with its id."""
    content: list[Json] = [item.command, dict(item.inputs), dict(item.options), item.output, item.sample]
    digest = hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()
    return Item(item.command, item.inputs, item.options, item.output, item.sample, digest[:ID_DIGITS])


def placed(item: Item, template: str, ext: str) -> Item:
    """Return the item with the path of its result: its own output, else `template`, with placeholders filled in.

    Raises UsageError for an unknown placeholder.
    """
    files = list(item.inputs.values())
    driving = PurePath(files[1]).stem if len(files) > 1 else ""
    values = {
        "id": item.id,
        "source": PurePath(files[0]).stem if files else "",
        "driving": driving,
        "sample": str(item.sample),
        "ext": ext,
        "command": item.command,
    }
    wanted = item.output or template or DEFAULT_TEMPLATE[bool(driving)]
    try:
        output = wanted.format_map(values) if "{" in wanted or "}" in wanted else wanted
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        known = " ".join(f"{{{name}}}" for name in PLACES)
        raise UsageError(f"the output {wanted!r} has an invalid placeholder ({error}); expected {known}") from None
    return Item(item.command, item.inputs, item.options, output, item.sample, item.id)
