"""The plan of a batch: the decision about each item and its reason, and all checks before the first frame."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from facepipe.batch.inventory import Inventory
from facepipe.batch.item import Item
from facepipe.batch.joblist import JobList
from facepipe.engine.item_log import BEGUN, DONE, DROPPED, Entries, Entry
from facepipe.errors import FacepipeError, UsageError

PART_DIGITS = 8
CAUSES = ("input changed", "settings changed", "program or weights changed", "output path changed")
"""Reasons to make an item again, one for each part of a key."""
OTHER_KEY = "recorded by another version of facepipe"
"""The reason if a recorded key has a different number of parts and cannot be compared."""


@dataclass(frozen=True)
class Decision:
    """The decision about an item."""

    item: Item
    entry: Entry | None
    key: str
    """Digests (8 digits each) of input signatures, settings, program and output path, joined by dots."""
    reason: str
    """done | new | one of CAUSES | OTHER_KEY | result missing | failed (class) | interrupted | dropped"""
    wanted: bool
    tries: int = 0
    """Number of tries in this run."""


@dataclass
class Checked:
    """The result of the check of all items."""

    total: int = 0
    """Number of items of all shards."""
    mine: int = 0
    wanted: int = 0
    done: int = 0
    failed: int = 0
    """Items of this shard with permanent failures, which are not retried."""
    reasons: Counter[str] = field(default_factory=Counter)
    inputs: Counter[int] = field(default_factory=Counter)
    """Number of items by hash of a file that they read, and by hash of all their files; empty if not needed."""
    problems: list[FacepipeError] = field(default_factory=list)
    """Faults of rows and items."""
    machine: list[FacepipeError] = field(default_factory=list)
    """Missing requirements of all items."""
    bad: dict[str, tuple[Decision, FacepipeError]] = field(default_factory=dict)
    """Items with faults, by id, each with its first fault."""
    ids: bytearray = field(default_factory=bytearray)
    """The ids of the items of all shards, as bytes."""


class Planner:
    """Decides about the items of a list."""

    def __init__(
        self,
        jobs: JobList,
        folder: Path,
        entries: Entries,
        *,
        run: str = "",
        retries: int = 0,
        again: Collection[str] | None = None,
    ) -> None:
        """`again` lists classes of permanent failures to retry."""
        self.jobs = jobs
        self._folder, self._entries, self._run, self._retries = folder, entries, run, retries
        self._again = frozenset(again or ())
        self._inventory = Inventory(folder)

    def decisions(self) -> Iterator[Decision]:
        """Yield the decision about each item of the shard, in the order of the list."""
        self._inventory = Inventory(self._folder)
        for item in self.jobs.items():
            yield self.decide(item)

    def decide(self, item: Item) -> Decision:
        """Return the decision about an item."""
        key, entry = self.key(item), self._entries.get(item.id)
        if entry is None:
            return Decision(item, None, key, "new", wanted=True)
        tries = entry.tries if entry.run == self._run else 0
        if cause := _cause(entry, key):
            return Decision(item, entry, key, cause, wanted=tries <= self._retries, tries=tries)
        if entry.state == DONE:
            there = self._inventory.exists(item.output)
            missing = not there and entry.run != self._run
            return Decision(item, entry, key, "result missing" if missing else "done", wanted=missing)
        if entry.state in (BEGUN, DROPPED):
            reason = "interrupted" if entry.state == BEGUN else "dropped"
            return Decision(item, entry, key, reason, wanted=tries <= self._retries, tries=tries)
        old = entry.run != self._run
        wanted = old and (not entry.permanent or entry.kind in self._again)
        wanted |= not old and not entry.permanent and tries <= self._retries
        return Decision(item, entry, key, f"failed ({entry.kind})", wanted=wanted, tries=tries)

    def key(self, item: Item) -> str:
        """Return the key of an item, which changes if the item must be made again."""
        commands = self.jobs.commands
        signatures = "|".join(self._inventory.sign(name) for name in commands.inputs(item))
        parts = (signatures, commands.settings(item), commands.program(item), item.output)
        return ".".join(map(_part, parts))

    def check(self, *, count_inputs: bool = False) -> Checked:
        """Check all items and return all faults."""
        found, outputs = Checked(), _Outputs()
        kinds: dict[str, Item] = {}
        for item in self.jobs.read():
            found.total += 1
            if not isinstance(item, Item):
                found.problems.append(item)
                continue
            found.ids += bytes.fromhex(item.id)
            if fault := outputs.fault(item):
                found.problems.append(fault)
                if not fault.twice:
                    found.bad[item.id] = (self.decide(item), fault)
            if self.jobs.shard.has(item):
                self._look(item, found, kinds, count_inputs=count_inputs)
        found.machine += self.jobs.commands.check_machine(list(kinds.values()), self._folder)
        return found

    def _look(self, item: Item, found: Checked, kinds: dict[str, Item], *, count_inputs: bool) -> None:
        decision = self.decide(item)
        found.mine += 1
        found.wanted += decision.wanted
        found.done += decision.reason == "done"
        found.failed += not decision.wanted and decision.reason != "done"
        found.reasons[decision.reason] += 1
        if count_inputs:
            found.inputs.update({*map(hash, item.inputs.values()), hash(tuple(item.inputs.values()))})
        if not decision.wanted:
            return
        faults = list(self._faults(item))
        found.problems += faults
        if faults:
            found.bad.setdefault(item.id, (decision, faults[0]))
        else:
            kinds.setdefault(self.jobs.commands.kind(item), item)

    def _faults(self, item: Item) -> Iterator[FacepipeError]:
        if fault := self.jobs.commands.check(item):
            yield UsageError(f"{item.label}: {fault}")
            return
        names = self.jobs.commands.inputs(item)
        yield from (fault for name in names if (fault := self._inventory.fault(name)) is not None)
        apart = {str(Path(name)) for name in names}
        if str(Path(item.output)) in apart:
            yield UsageError(
                f"{item.label}: the result {item.output} would replace the input of the same name; use another output"
            )


class PlaceError(UsageError):
    """Two rows have the same output path. `twice` means that they are the same item."""

    def __init__(self, message: str, *, twice: bool = False) -> None:
        super().__init__(message)
        self.twice = twice


class _Outputs:
    """Detects items with equal output paths."""

    def __init__(self) -> None:
        self._outputs: set[int] = set()
        self._ids: set[int] = set()

    def fault(self, item: Item) -> PlaceError | None:
        """Return the error if an earlier item has the same id or output path, else None."""
        place, mine = hash(item.output), hash(item.id)
        if mine in self._ids:
            return PlaceError(f"{item.label}: is in the list twice; remove one of the rows", twice=True)
        self._ids.add(mine)
        if place in self._outputs:
            return PlaceError(
                f"{item.label}: its result {item.output} is also the result of an earlier row; add a placeholder that "
                "differs, for example {id}, to the template or the column output"
            )
        self._outputs.add(place)
        return None


def _part(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:PART_DIGITS]


def _cause(entry: Entry, key: str) -> str:
    """Return why an item's key differs from the recorded one; empty if it does not."""
    old, new = entry.key.split("."), key.split(".")
    if len(old) != len(new):
        return OTHER_KEY
    return next((cause for before, now, cause in zip(old, new, CAUSES, strict=True) if before != now), "")
