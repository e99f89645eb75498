"""The record of a result: its inputs, parameters, outputs and facts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import facepipe
from facepipe.engine.fingerprint import Identity
from facepipe.engine.stage import RECORD_NAME
from facepipe.errors import RecordError

SCHEMA = 1
# By the name of their module.
_LIBRARIES = {"numpy": "numpy", "torch": "torch", "opencv": "cv2", "pillow": "PIL"}


class DamagedRecordError(ValueError):
    """A record that is missing, truncated or invalid. The folder is not a result, and the stage runs again."""


@dataclass(frozen=True)
class OutputFile:
    """The digest and size of one published file."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Record:
    """The content of record.json."""

    identity: Identity
    outputs: Mapping[str, OutputFile]
    facts: Mapping[str, Any]
    """The mapping that the stage function returned: counts, jitter, …"""
    seconds: float
    versions: Mapping[str, str]
    """Versions of facepipe, Python and the loaded libraries. For information; not part of the fingerprint."""

    def text(self) -> str:
        """Return the record as sorted, indented JSON. Raises TypeError or ValueError if the facts are not JSON."""
        outputs = {name: asdict(output) for name, output in self.outputs.items()}
        own = {"outputs": outputs, "facts": self.facts, "seconds": round(self.seconds, 3), "versions": self.versions}
        content = {"schema": SCHEMA, **self.identity.as_json(), **own}
        return json.dumps(content, sort_keys=True, indent=2, allow_nan=False) + "\n"


def loaded_versions() -> dict[str, str]:
    """Return the versions of facepipe, Python and, as far as this process has loaded them, of `_LIBRARIES`."""
    versions = {"facepipe": facepipe.__version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for name, module in _LIBRARIES.items():
        if version := getattr(sys.modules.get(module), "__version__", None):
            versions[name] = str(version)
    return versions


def read_record(folder: Path) -> Record:
    """Return the record of a published folder.

    Raises DamagedRecordError if it is missing or unreadable, RecordError if another version of the program wrote it.
    """
    try:
        content = json.loads((folder / RECORD_NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedRecordError(f"{folder / RECORD_NAME}: {error}") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema != SCHEMA:
        raise RecordError(
            f"{str(folder)!r} was written by another version of facepipe (record schema {schema}, this version reads "
            f"{SCHEMA}); remove it with `facepipe clean`, or choose another work folder with --work"
        )
    try:
        return _parse(content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedRecordError(f"{folder / RECORD_NAME}: {error!r}") from error


def _parse(content: Mapping[str, Any]) -> Record:
    if content["schema"] != SCHEMA:
        raise ValueError("no schema version")
    return Record(
        identity=Identity.from_json(content),
        outputs={name: OutputFile(**output) for name, output in content["outputs"].items()},
        facts=dict(content["facts"]),
        seconds=float(content["seconds"]),
        versions=dict(content["versions"]),
    )
