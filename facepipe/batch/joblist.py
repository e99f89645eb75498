"""The items of a batch, read as often as they are needed and never all held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from facepipe.batch.command_set import CommandSet
from facepipe.batch.item import Item, placed
from facepipe.batch.rows import Row, item_of_row
from facepipe.errors import FacepipeError, UsageError


@dataclass(frozen=True)
class Shard:
    """Which items are this process's business: those whose id says so, whatever their place in the list."""

    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not (self.world >= 1 and 0 <= self.rank < self.world):
            raise UsageError(f"rank {self.rank} of world {self.world}: ranks go from 0 to {self.world - 1}")

    def has(self, item: Item) -> bool:
        """Tell whether an item belongs to this shard."""
        return int(item.id, 16) % self.world == self.rank


@dataclass(frozen=True)
class JobList:
    """Rows, and what holds for all of them."""

    name: str
    """What the batch is called in its folder: another list of that name is the same list, grown or mended."""
    rows: Callable[[], Iterable[Row | UsageError]]
    commands: CommandSet
    command: str = "reenact"
    common: Mapping[str, Any] = field(default_factory=dict)
    """Cells that hold for all rows which say nothing of their own."""
    template: str = ""
    shard: Shard = Shard()

    def read(self) -> Iterator[Item | FacepipeError]:
        """Yield every item of every shard with its place; where a row cannot be read, what is wrong with it."""
        for row in self.rows():
            if isinstance(row, UsageError):
                yield row
                continue
            try:
                item = item_of_row(row[1], command=self.command, common=self.common)
                yield placed(item, self.template, self.commands.extension(item))
            except FacepipeError as error:
                yield UsageError(f"{self.name}, line {row[0]}: {error}")

    def items(self) -> Iterator[Item]:
        """Yield the items of this shard; rows that cannot be read, which `check` has told of, are left out."""
        for item in self.read():
            if isinstance(item, Item) and self.shard.has(item):
                yield item


@dataclass(frozen=True)
class Recorded(JobList):
    """Items as records hold them, places and all."""

    recorded: tuple[Item, ...] = ()

    def read(self) -> Iterator[Item | FacepipeError]:
        """Yield the items."""
        yield from self.recorded
