"""What a stage is: a function of paths with everything it depends on declared beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

Json = None | bool | int | float | str | list["Json"] | tuple["Json", ...] | dict[str, "Json"]
"""What a record can hold."""

NOT_IN_FINGERPRINT: Mapping[str, bool] = {"not_in_fingerprint": True}
"""Metadata of a field of a stage's params that changes how a result is made but not the result itself."""

P = TypeVar("P")


class WeightFile(Protocol):
    """A weight that was already verified: where it lies, and the sha256 (64 hex digits) of its content."""

    @property
    def path(self) -> Path:
        """Where the file lies."""

    @property
    def sha256(self) -> str:
        """The digest of its content."""


@dataclass(frozen=True)
class StageRun(Generic[P]):
    """All that a stage function gets to see."""

    inputs: Mapping[str, Path | tuple[Path, ...]]
    """Read-only files by input name (without mark); a tuple where the stage takes many, no key where none was given."""
    output: Path
    """An empty folder on the disk of the result. Every declared output is to be written here, and nothing else."""
    params: P
    weights: Mapping[str, Path]
    """Verified weight files by registry name."""
    advance: Callable[[int], None]
    """To be called with the number of frames just finished."""

    def input(self, name: str) -> Path:
        """Return the one file given as input `name`."""
        path = self.inputs[name]
        assert isinstance(path, Path), f"input {name} holds many files"
        return path

    def many(self, name: str) -> tuple[Path, ...]:
        """Return the files given as input `name`, which the stage declares as `name*`."""
        paths = self.inputs[name]
        assert isinstance(paths, tuple), f"input {name} holds one file"
        return paths


@dataclass(frozen=True)
class Stage(Generic[P]):
    """The declaration of a stage. Its function returns facts (counts, jitter, …) for the record.

    Marks: an input `segments*` takes several files; an input, output or weight with `?` may be absent.
    """

    name: str
    version: int
    """Raise it whenever the same inputs would now give another result."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """File names."""
    params: type[P]
    """A frozen dataclass of JSON-able fields; those marked NOT_IN_FINGERPRINT are left out of the fingerprint."""
    function: Callable[[StageRun[P]], Mapping[str, Any]]
    weights: tuple[str, ...] = ()
    """Registry names."""

    def __post_init__(self) -> None:
        names = [bare(name) for name in (*self.inputs, *self.outputs, *self.weights)]
        assert self.name.isidentifier(), f"a stage's name is a folder and an option: {self.name!r}"
        assert all(names), f"stage {self.name} declares an empty name"
        assert all(Path(bare(name)).name == bare(name) for name in self.outputs), "an output is a plain file name"
        assert RECORD_NAME not in self.outputs, f"{RECORD_NAME} is written by the engine"


RECORD_NAME = "record.json"


def bare(name: str) -> str:
    """Return a declared name without its mark."""
    return name.rstrip("*?")


def missing_and_foreign(declared: tuple[str, ...], given: set[str]) -> tuple[list[str], list[str]]:
    """Return the declared names that are absent though not optional, and the given ones that nobody declared."""
    required = {bare(name) for name in declared if not name.endswith("?")}
    return sorted(required - given), sorted(given - {bare(name) for name in declared})
