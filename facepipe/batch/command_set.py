"""The interface of the commands that the rows of a batch name; `facepipe.batch.commands` has those of facepipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from facepipe.batch.item import Item
from facepipe.engine import Job
from facepipe.errors import FacepipeError

RunJob = Callable[[Mapping[str, object], Callable[[Job], None]], None]
"""Takes the identity of a job and its body, and runs it."""


class CommandSet(Protocol):
    """The commands that make the items of a batch. It is sent to the workers, so it must be picklable."""

    def extension(self, item: Item) -> str:
        """Return the suffix, without dot, that the result of an item has where nothing else is said."""

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the files that an item reads, as they are written in its row."""

    def check(self, item: Item) -> FacepipeError | None:
        """Return what is wrong with an item's command and options; files are not looked at."""

    def kind(self, item: Item) -> str:
        """Return what items have in common that need the same of a machine."""

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Return what is missing of weights and encoders for items of one kind each."""

    def settings(self, item: Item) -> str:
        """Return a text that changes whenever other settings would change the result of an item."""

    def program(self, item: Item) -> str:
        """Return a text that changes whenever a stage or a weight that an item uses changes."""

    def prepare(self, threads: int) -> None:
        """Get a process ready that will make items with so many threads."""

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Make an item whose paths are relative to `folder`, through `run_job`. Raises what its command raises."""
