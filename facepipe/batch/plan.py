"""What is to be done about each item, and why; and all that can be found wrong before the first frame."""

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
CAUSES = ("input changed", "settings changed", "program or weights changed", "result has another name")
"""By the parts of a key."""
OTHER_KEY = "noted by another version of facepipe"
"""The cause where a key has other parts than these, so that nothing of it can be compared."""


@dataclass(frozen=True)
class Decision:
    """What is to be done about an item."""

    item: Item
    entry: Entry | None
    key: str
    """What the item would be made from: signatures of inputs, settings, program and place, 8 digits each."""
    reason: str
    """done | new | one of CAUSES | OTHER_KEY | result missing | failed (class) | broken off | dropped"""
    wanted: bool
    tries: int = 0
    """How often it was tried in this run."""


@dataclass
class Checked:
    """What a first look at all items found."""

    total: int = 0
    """Items of all shards."""
    mine: int = 0
    wanted: int = 0
    done: int = 0
    failed: int = 0
    """Of mine: those that failed for good, and are left alone."""
    reasons: Counter[str] = field(default_factory=Counter)
    inputs: Counter[int] = field(default_factory=Counter)
    """How many items read a file, or have the same files, by hash; empty where that does not matter."""
    problems: list[FacepipeError] = field(default_factory=list)
    """With rows and items."""
    machine: list[FacepipeError] = field(default_factory=list)
    """With what all of them need."""
    bad: dict[str, tuple[Decision, FacepipeError]] = field(default_factory=dict)
    """Items that cannot be made as they are, by id, each with the first thing that is wrong with it."""


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
        """`again` are the classes of failure that are tried again although they are permanent."""
        self.jobs = jobs
        self._folder, self._entries, self._run, self._retries = folder, entries, run, retries
        self._again = frozenset(again or ())
        self._inventory = Inventory(folder)

    def decisions(self) -> Iterator[Decision]:
        """Yield what is to be done about each item of the shard, in the order of the list."""
        self._inventory = Inventory(self._folder)
        for item in self.jobs.items():
            yield self.decide(item)

    def decide(self, item: Item) -> Decision:
        """Say what is to be done about an item."""
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
            reason = "broken off" if entry.state == BEGUN else "dropped"
            return Decision(item, entry, key, reason, wanted=tries <= self._retries, tries=tries)
        old = entry.run != self._run
        wanted = old and (not entry.permanent or entry.kind in self._again)
        wanted |= not old and not entry.permanent and tries <= self._retries
        return Decision(item, entry, key, f"failed ({entry.kind})", wanted=wanted, tries=tries)

    def key(self, item: Item) -> str:
        """Return what an item would be made from."""
        commands = self.jobs.commands
        signs = "|".join(self._inventory.sign(name) for name in commands.inputs(item))
        parts = (signs, commands.settings(item), commands.program(item), item.output)
        return ".".join(map(_part, parts))

    def check(self, *, count_inputs: bool = False) -> Checked:
        """Look at all items once; what is wrong with them is in the answer, all of it."""
        found, outputs = Checked(), _Outputs()
        kinds: dict[str, Item] = {}
        for item in self.jobs.read():
            found.total += 1
            if not isinstance(item, Item):
                found.problems.append(item)
                continue
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
            yield UsageError(f"{item.label}: the result {item.output} would replace the input of that name")


class PlaceError(UsageError):
    """Two rows want one place; `twice` tells that they are the same item."""

    def __init__(self, message: str, *, twice: bool = False) -> None:
        super().__init__(message)
        self.twice = twice


class _Outputs:
    """Notices two items whose results would have one name."""

    def __init__(self) -> None:
        self._outputs: set[int] = set()
        self._ids: set[int] = set()

    def fault(self, item: Item) -> PlaceError | None:
        """Return what is wrong with the place of a result."""
        place, mine = hash(item.output), hash(item.id)
        if mine in self._ids:
            return PlaceError(f"{item.label}: is in the list twice; leave one of the two out", twice=True)
        self._ids.add(mine)
        if place in self._outputs:
            return PlaceError(
                f"{item.label}: its result would be {item.output}, as that of an item before it; put what tells them "
                "apart, or {id}, into the template or the column output"
            )
        self._outputs.add(place)
        return None


def _part(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:PART_DIGITS]


def _cause(entry: Entry, key: str) -> str:
    """Return why an item's key is another than when it was last tried; nothing where it is the same."""
    old, new = entry.key.split("."), key.split(".")
    if len(old) != len(new):
        return OTHER_KEY
    return next((cause for before, now, cause in zip(old, new, CAUSES, strict=True) if before != now), "")
