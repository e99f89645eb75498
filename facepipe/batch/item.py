"""One line of a job list: what is to be made of what, and under which name."""

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
"""Of items with, and without, something that drives."""


@dataclass(frozen=True)
class Item:
    """One piece of work, as its row says it; paths are as they were written, so that a folder may be mounted anywhere.

    The id is the hash of this description alone: not of the place in a list, nor of a template that names the result.
    """

    command: str
    inputs: Mapping[str, str]
    """Files by role: source, and driving or sound."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """By the name of the flag, without dashes in front, with underscores."""
    output: str = ""
    """Where the result goes; a template until `placed`."""
    sample: int = 0
    id: str = ""

    @property
    def label(self) -> str:
        """Return what to call the item in messages."""
        return " ".join((self.command, *self.inputs.values(), *([f"#{self.sample}"] if self.sample else [])))

    def as_json(self) -> dict[str, Any]:
        """Return what `item_of` reads."""
        return {
            "command": self.command,
            "inputs": dict(self.inputs),
            "options": dict(self.options),
            "output": self.output,
            "sample": self.sample,
            "id": self.id,
        }


def item_of(content: Mapping[str, Any]) -> Item:
    """Read what `as_json` gave. Raises KeyError or TypeError on anything else."""
    return Item(**{name: content[name] for name in ("command", "inputs", "options", "output", "sample", "id")})


def identified(item: Item) -> Item:
    """Return the item with its id."""
    said: list[Json] = [item.command, dict(item.inputs), dict(item.options), item.output, item.sample]
    digest = hashlib.sha256(canonical_json(said).encode("utf-8", "surrogatepass")).hexdigest()
    return Item(item.command, item.inputs, item.options, item.output, item.sample, digest[:ID_DIGITS])


def placed(item: Item, template: str, ext: str) -> Item:
    """Return the item with the path of its result: its own output, else `template`, either filled in.

    Raises UsageError for a template with a place that is unknown.
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
        raise UsageError(f"the output {wanted!r} cannot be filled in ({error}); known are {known}") from None
    return Item(item.command, item.inputs, item.options, output, item.sample, item.id)
