"""Stage results, finished or pending, in the form in which the next stage takes them as input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.engine.record import Record


@dataclass(frozen=True)
class Output:
    """A published file. Its digest comes from the record, so the file need not be read."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Artefact:
    """A published result. Its files are read-only: copy them, never write to them."""

    folder: Path
    record: Record

    @property
    def facts(self) -> Mapping[str, Any]:
        """The mapping that the stage function returned."""
        return self.record.facts

    def has(self, name: str) -> bool:
        """Return True if an optional output was written."""
        return name in self.record.outputs

    def path(self, name: str) -> Path:
        """Return the path of an output. Raises KeyError if it was not written."""
        return self.output(name).path

    def digest(self, name: str) -> str:
        """Return the sha256 of an output. Raises KeyError if it was not written."""
        return self.output(name).sha256

    def output(self, name: str) -> Output:
        """Return an output as an input for the next stage. Raises KeyError if it was not written."""
        return Output(self.folder / name, self.record.outputs[name].sha256)

    def sole_output(self) -> Output:
        """Return the only output. Raises ValueError if there are several."""
        if len(self.record.outputs) != 1:
            raise ValueError(f"{self.record.identity.stage} has the outputs {sorted(self.record.outputs)}; name one")
        return self.output(next(iter(self.record.outputs)))


@dataclass(frozen=True)
class Pending:
    """A result that a dry run would have to make first."""

    label: str

    def output(self, name: str) -> Pending:  # noqa: ARG002 (the shape of Artefact.output)
        """Return self, so that a dry run and a real run share the same code."""
        return self
