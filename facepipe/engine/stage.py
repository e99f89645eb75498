"""Stage declarations: a function from paths to paths, with everything it depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

Json = None | bool | int | float | str | list["Json"] | tuple["Json", ...] | dict[str, "Json"]
"""The types that a record can contain."""

NOT_IN_FINGERPRINT: Mapping[str, bool] = {"not_in_fingerprint": True}
"""Field metadata for params that change how a result is made but not the result. They are not fingerprinted."""

P = TypeVar("P")


class WeightFile(Protocol):
    """A verified weight file: its path and the sha256 (64 hex digits) of its content."""

    @property
    def path(self) -> Path:
        """The path of the file."""

    @property
    def sha256(self) -> str:
        """The sha256 of its content, as 64 hex digits."""


@dataclass(frozen=True)
class StageRun(Generic[P]):
    """The only argument of a stage function."""

    inputs: Mapping[str, Path | tuple[Path, ...]]
    """Read-only files by input name, without marks. A tuple for inputs with `*`; absent inputs have no key."""
    output: Path
    """An empty folder. The function must write all declared outputs to it, and nothing else."""
    params: P
    weights: Mapping[str, Path]
    """Verified weight files by registry name."""
    advance: Callable[[int], None]
    """A callback that takes the number of frames just finished."""

    def input(self, name: str) -> Path:
        """Return the file of an input that takes one file."""
        path = self.inputs[name]
        assert isinstance(path, Path), f"input {name} has several files"
        return path

    def many(self, name: str) -> tuple[Path, ...]:
        """Return the files of an input that the stage declares as `name*`."""
        paths = self.inputs[name]
        assert isinstance(paths, tuple), f"input {name} has one file"
        return paths


@dataclass(frozen=True)
class Stage(Generic[P]):
    """The declaration of a stage. Its function returns facts (counts, jitter, …) for the record.

    Marks: an input `segments*` takes several files; an input, output or weight with `?` may be absent, and
    an input `extras*?` takes several files or is absent.
    """

    name: str
    version: int
    """Increase it whenever the same inputs and parameters give a different result than before."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """File names."""
    params: type[P]
    """A frozen dataclass of JSON-serialisable fields; those marked NOT_IN_FINGERPRINT are not in the fingerprint."""
    function: Callable[[StageRun[P]], Mapping[str, Any]]
    weights: tuple[str, ...] = ()
    """Registry names."""

    def __post_init__(self) -> None:
        names = [bare(name) for name in (*self.inputs, *self.outputs, *self.weights)]
        assert self.name.isidentifier(), f"a stage's name is used as folder and option, got {self.name!r}"
        assert all(names), f"stage {self.name} declares an empty name"
        assert all(Path(bare(name)).name == bare(name) for name in self.outputs), "an output must be a plain file name"
        assert RECORD_NAME not in self.outputs, f"{RECORD_NAME} is written by the engine"


RECORD_NAME = "record.json"


def bare(name: str) -> str:
    """Return a declared name without its mark."""
    return name.rstrip("*?")


def missing_and_foreign(declared: tuple[str, ...], given: set[str]) -> tuple[list[str], list[str]]:
    """Return the required names that were not given, and the given names that are not declared, both sorted."""
    required = {bare(name) for name in declared if not name.endswith("?")}
    return sorted(required - given), sorted(given - {bare(name) for name in declared})
