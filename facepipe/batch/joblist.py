"""The items of a batch. They are read again for each pass and never all held in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from facepipe.batch.command_set import CommandSet
from facepipe.batch.item import Item
from facepipe.batch.rows import Row, item_of_row, plain
from facepipe.batch.template import placed
from facepipe.errors import FacepipeError, UsageError

_ABSENT = object()


@dataclass(frozen=True)
class Shard:
    """The share of the items that a process makes. It depends on the ids, not on positions in the list."""

    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not (self.world >= 1 and 0 <= self.rank < self.world):
            raise UsageError(f"--rank is {self.rank} and --world {self.world}, expected a rank from 0 to world - 1")

    def has(self, item: Item) -> bool:
        """Return whether an item belongs to this shard."""
        return int(item.id, 16) % self.world == self.rank


@dataclass(frozen=True)
class JobList:
    """Rows, and the defaults for all of them."""

    name: str
    """The name of the list in the work folder. A later list of the same name counts as a new version of it."""
    rows: Callable[[], Iterable[Row | UsageError]]
    commands: CommandSet
    command: str = "reenact"
    common: Mapping[str, Any] = field(default_factory=dict)
    """Cells for all rows that do not set them."""
    template: str = ""
    shard: Shard = Shard()

    def read(self) -> Iterator[Item | FacepipeError]:
        """Yield the items of all shards with their result paths, and an error for each row that cannot be read."""
        for row in self.rows():
            if isinstance(row, UsageError):
                yield row
                continue
            try:
                item = item_of_row(row[1], command=self.command, common=self.common)
                yield placed(item, self.template, self.commands.extension(item))
            except FacepipeError as error:
                yield UsageError(f"{self.name}, line {row[0]}: {error}")

    def shares(self, column: str, value: Any) -> bool:
        """Return whether a cell is one of `common`, which all rows have that do not set it."""
        return bool(self._plain_common.get(column, _ABSENT) == value)

    @cached_property
    def _plain_common(self) -> Mapping[str, Any]:
        return {plain(name): value for name, value in self.common.items()}

    def items(self) -> Iterator[Item]:
        """Yield the items of this shard. Rows that cannot be read are skipped; `check` reports them."""
        for item in self.read():
            if isinstance(item, Item) and self.shard.has(item):
                yield item


@dataclass(frozen=True)
class Recorded(JobList):
    """A job list of recorded items, which already have their result paths."""

    recorded: tuple[Item, ...] = ()

    def read(self) -> Iterator[Item | FacepipeError]:
        """Yield the items."""
        yield from self.recorded
