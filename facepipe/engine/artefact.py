"""Results, there or still to be made, as the next stage takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.engine.record import Record


@dataclass(frozen=True)
class Output:
    """One published file, whose digest is known without reading it."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Artefact:
    """A published result. Its files are read-only; copy them, never write into them."""

    folder: Path
    record: Record

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the stage function found worth telling."""
        return self.record.facts

    def has(self, name: str) -> bool:
        """Tell whether an optional output was written."""
        return name in self.record.outputs

    def path(self, name: str) -> Path:
        """Return where an output lies. Raises KeyError for a name that was not written."""
        return self.output(name).path

    def digest(self, name: str) -> str:
        """Return the sha256 of an output. Raises KeyError for a name that was not written."""
        return self.output(name).sha256

    def output(self, name: str) -> Output:
        """Return an output as an input of the next stage. Raises KeyError for a name that was not written."""
        return Output(self.folder / name, self.record.outputs[name].sha256)

    def sole_output(self) -> Output:
        """Return the only output. Raises ValueError if there are several: say which."""
        if len(self.record.outputs) != 1:
            raise ValueError(f"{self.record.identity.stage} has the outputs {sorted(self.record.outputs)}; name one")
        return self.output(next(iter(self.record.outputs)))


@dataclass(frozen=True)
class Pending:
    """In a dry run: a result that would have to be made first."""

    label: str

    def output(self, name: str) -> Pending:  # noqa: ARG002 (the shape of Artefact.output)
        """Return itself, so that a plan can be written as the run is."""
        return self
