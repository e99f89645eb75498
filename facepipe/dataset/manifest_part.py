"""The clips of one raw video, and their file. The parts of all raw videos form the list of a data set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from facepipe.dataset.listing import Entry, entry_of
from facepipe.errors import FacepipeError
from facepipe.media.files import draft_of

FORMAT, VERSION = "facepipe-dataset-part", 1


@dataclass(frozen=True)
class ManifestPart:
    """The clips of one raw video."""

    entries: Sequence[Entry] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Number of candidates that the rule rejected, by reason."""
    faults: Sequence[FacepipeError] = ()
    """One error per clip that could not be built; not written to the file."""


def save_part(part: ManifestPart, path: Path) -> None:
    """Write a part."""
    rows = [asdict(entry) for entry in part.entries]
    content = {"format": FORMAT, "version": VERSION, "entries": rows, "rejected": dict(part.rejected)}
    with draft_of(path) as draft:
        draft.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def load_part(path: Path) -> ManifestPart | None:
    """Read a part; return None if there is no readable one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            return None
        return ManifestPart([entry_of(row) for row in content["entries"]], content["rejected"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
