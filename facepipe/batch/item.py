"""An item: one row of a job list, with command, inputs, options and output."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facepipe.engine.fingerprint import canonical_json
from facepipe.engine.stage import Json

ID_DIGITS = 20


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
