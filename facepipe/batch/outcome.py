"""The state of all items after a round, and how a batch ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from facepipe.errors import ExitCode


@dataclass(frozen=True)
class Settled:
    """The outcome of a batch."""

    total: int
    done: int
    """Items done in this run and in earlier ones."""
    made: int
    failed: int
    held: int
    """Claimed by other processes."""
    left: int
    exit_code: ExitCode
    message: str


@dataclass
class Survey:
    """The items of a shard by state, counted after a round."""

    open: list[str] = field(default_factory=list)
    """Ids of the items still to be made, also those that other processes have claimed."""
    done: int = 0
    failed: int = 0
    held: int = 0
    left: int = 0
