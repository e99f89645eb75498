"""The interface of a set of commands that batch rows can use. `facepipe.batch.commands` implements it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from facepipe.batch.item import Item
from facepipe.engine import Job
from facepipe.errors import FacepipeError
from facepipe.media.files import check_input

RunJob = Callable[[Mapping[str, object], Callable[[Job], None]], None]
"""Runs a job, given its identity and its body."""


class CommandSet(Protocol):
    """The commands that make the items of a batch. Instances are sent to workers, so they must be picklable."""

    def extension(self, item: Item) -> str:
        """Return the default suffix of an item's result, without the dot."""

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the paths that an item reads, as written in its row."""

    def results(self, item: Item) -> Sequence[str]:
        """Return the paths that an item writes, the result first, without sidecars (each is a result + ".json")."""
        return (item.output,)

    def check(self, item: Item) -> Mapping[str, str]:
        """Return the faults of an item's command and options: a message by column, "" for the row as a whole.

        Files are not read, except presets.
        """

    def accepted(self, item: Item) -> Sequence[str]:
        """Return, for each path of `inputs`, which kinds of file the item accepts, as text for `check_file`."""
        return [""] * len(self.inputs(item))

    def check_file(self, path: Path, accepted: str) -> None:
        """Raise InputError if a file is not readable, or not of an accepted kind. It is not decoded."""
        del accepted
        check_input(path)

    def check_places(self, item: Item, folder: Path) -> list[FacepipeError]:
        """Return an error for each path of `results`, relative to `folder`, that holds a file of somebody else."""
        del item, folder
        return []

    def kind(self, item: Item) -> str:
        """Return a key that is equal for items with the same requirements on the machine."""

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Return errors for missing weights and encoders. `items` holds one item of each kind."""

    def settings(self, item: Item) -> str:
        """Return a text that changes with every setting that changes the result of an item."""

    def program(self, item: Item) -> str:
        """Return a text that changes with the version of every stage and the digest of every weight of an item."""

    def prepare(self, threads: int) -> None:
        """Prepare a worker process that makes items with this number of threads."""

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Make an item with `run_job`; its paths are relative to `folder`. Raises the errors of its command."""
