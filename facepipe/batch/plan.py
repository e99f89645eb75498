"""The plan of a batch: the decision about each item and its reason, and all checks before the first frame."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from facepipe.batch.inventory import Inventory
from facepipe.batch.item import Item
from facepipe.batch.joblist import JobList
from facepipe.batch.places import Places
from facepipe.engine.item_log import BEGUN, DONE, DROPPED, Entries, Entry
from facepipe.errors import DiskError, FacepipeError, InputError, PrecheckError, UsageError

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
    settings: dict[str, SettingError] = field(default_factory=dict)
    """Faults of cells that all rows share, by message."""
    bad: dict[str, tuple[Decision, FacepipeError]] = field(default_factory=dict)
    """Items with faults, by id, each with one error that holds all of them."""
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
        self._inventory = Inventory(folder, jobs.commands.check_file)

    def decisions(self) -> Iterator[Decision]:
        """Yield the decision about each item of the shard, in the order of the list."""
        self._inventory = Inventory(self._folder, self.jobs.commands.check_file)
        for item in self.jobs.items():
            yield self.decide(self._spelled(item))

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
        signatures = "|".join([self._inventory.sign(name) for name in commands.inputs(item)])
        # The settings and the program are those of many items.
        shared = (_shared_part(commands.settings(item)), _shared_part(commands.program(item)))
        return ".".join((_part(signatures), *shared, _part(item.output)))

    def check(self, *, count_inputs: bool = False) -> Checked:
        """Check all items and return all faults."""
        found, places = Checked(), Places()
        kinds: dict[str, Item] = {}
        for item in self.jobs.read():
            found.total += 1
            if not isinstance(item, Item):
                found.problems.append(item)
                continue
            found.ids += bytes.fromhex(item.id)
            fault = places.fault(item, self.jobs.commands.results(item))
            if fault and fault.twice:
                found.problems.append(fault)
            if self.jobs.shard.has(item):
                others = [fault] if fault and not fault.twice else []
                self._look(self._spelled(item), found, kinds, others, count_inputs=count_inputs)
            elif fault and not fault.twice:
                found.problems.append(fault)
        found.problems += found.settings.values()
        found.machine += self.jobs.commands.check_machine(list(kinds.values()), self._folder)
        return found

    def _spelled(self, item: Item) -> Item:
        """Return an item whose files have the names that the disk has, which may compose accents in another way."""
        inputs = {role: self._inventory.spelled(name) for role, name in item.inputs.items()}
        return item if inputs == item.inputs else replace(item, inputs=inputs)

    def _look(
        self,
        item: Item,
        found: Checked,
        kinds: dict[str, Item],
        others: Sequence[FacepipeError],
        *,
        count_inputs: bool,
    ) -> None:
        """Decide about an item and check it. `others` are faults that it has beside other items."""
        decision = self.decide(item)
        found.mine += 1
        found.wanted += decision.wanted
        found.done += decision.reason == "done"
        found.failed += not decision.wanted and decision.reason != "done"
        found.reasons[decision.reason] += 1
        if count_inputs:
            found.inputs.update({*map(hash, item.inputs.values()), hash(tuple(item.inputs.values()))})
        faults = list(others)
        if decision.wanted:
            own = self.jobs.commands.check(item)
            if "" not in own:
                kinds.setdefault(self.jobs.commands.kind(item), item)
            faults += self._row_faults(item, own, found)
            faults += self._file_faults(item)
        found.problems += (fault for fault in faults if not isinstance(fault, SettingError))
        if faults:
            found.bad.setdefault(item.id, (decision, _all_of(faults)))

    def _row_faults(self, item: Item, own: Mapping[str, str], found: Checked) -> Iterator[FacepipeError]:
        """Yield the faults of a row. One of a cell that all rows share is added to `found` only once."""
        for column, fault in own.items():
            if column and self.jobs.shares(column, item.options[column]):
                shared = SettingError(f"--set {column}={item.options[column]}: {fault}")
                yield found.settings.setdefault(str(shared), shared)
            else:
                yield UsageError(f"{item.label}: {fault}")

    def _file_faults(self, item: Item) -> Iterator[FacepipeError]:
        """Yield the faults of the files that an item reads and writes."""
        commands = self.jobs.commands
        names, results = commands.inputs(item), commands.results(item)
        for name, accepted in zip(names, commands.accepted(item), strict=True):
            if fault := self._inventory.fault(name, accepted):
                yield fault
        apart = {os.path.normpath(name) for name in names}
        for path in results:
            if os.path.normpath(path) in apart:
                yield UsageError(
                    f"{item.label}: the result {path} would replace the input of the same name; use another output"
                )
            elif message := self._inventory.place_fault(os.path.dirname(path)) or self._inventory.name_fault(path):  # noqa: PTH120
                yield DiskError(f"{item.label}: its result {path} cannot be written: {message}", permanent=True)
        yield from commands.check_places(item, self._folder)


class SettingError(UsageError):
    """A cell that all rows share (`--set`) is invalid."""


def _all_of(faults: Sequence[FacepipeError]) -> FacepipeError:
    """Return one error of the class of the first with the messages of all."""
    first = faults[0]
    if len(faults) == 1:
        return first
    kind = InputError if isinstance(first, PrecheckError) else type(first)
    return kind("; ".join(dict.fromkeys(map(str, faults))), permanent=first.permanent)


def _part(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:PART_DIGITS]


_shared_part = lru_cache(maxsize=1000)(_part)


def _cause(entry: Entry, key: str) -> str:
    """Return why an item's key differs from the recorded one; empty if it does not."""
    old, new = entry.key.split("."), key.split(".")
    if len(old) != len(new):
        return OTHER_KEY
    return next((cause for before, now, cause in zip(old, new, CAUSES, strict=True) if before != now), "")
