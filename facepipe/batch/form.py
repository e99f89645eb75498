"""Forms: what rows share that differ only in names of files, and in numbers within their bounds.

A row is checked cell by cell, and its form once, so that a million rows with a value of their own cost little more than
equal rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from facepipe import weights
from facepipe.batch.item import Item
from facepipe.batch.template import stem_and_suffix
from facepipe.errors import FacepipeError
from facepipe.motion.sliders import Bounds, Edit, check_edit, read_bounds
from facepipe.pipeline.dependencies import Dependencies
from facepipe.requests import REQUESTS
from facepipe.requests.cells import cell_of, placeholder
from facepipe.requests.columns import Columns, request_of
from facepipe.requests.request import Prepared
from facepipe.settings import Settings
from facepipe.spaces import SPACES

FORMS = 10_000
PLACEHOLDER = re.compile("%([a-z_]+)%")


@dataclass(frozen=True)
class Form:
    """The properties of all rows of one form."""

    kind: str
    """Command, codec and weights as text."""
    space: str
    dependencies: Dependencies
    files: tuple[tuple[str, ...], ...]
    """The files of an item: literal texts, and in between the names of the columns whose paths are filled in."""

    @cached_property
    def program(self) -> str:
        """The versions of stages and digests of weights, as text."""
        return self.dependencies.signature()

    def results(self, item: Item) -> list[str]:
        """Return the paths of the files that an item writes, without sidecars."""
        return [_filled(parts, item) for parts in self.files]


@dataclass(frozen=True)
class Reading:
    """A row that was read."""

    faults: Mapping[str, str]
    """The faults of its cells, by column."""
    form: Form | FacepipeError
    """The form, or the error that all rows of this form have."""

    def row_fault(self, item: Item) -> str:
        """Return the error of the form with the names of the item's files; empty if there is none."""
        if isinstance(self.form, Form):
            return ""
        return "".join(_filled_in(PLACEHOLDER.split(str(self.form)), item))


class Forms:
    """Reads rows with the settings of a run, and remembers their forms."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[Any, Form | FacepipeError] = {}
        self._last: tuple[Item, Reading] | None = None

    def read(self, item: Item) -> Reading:
        """Read a row. Of its files only presets are read."""
        if self._last is None or self._last[0] is not item:
            self._last = item, self._read(item)
        return self._last[1]

    def _read(self, item: Item) -> Reading:
        likeness, faults = [], {}
        for column, value in item.options.items() if item.command in REQUESTS else ():
            cell = cell_of(item.command, column, value)
            if cell.fault:
                faults[column] = cell.fault
            else:
                likeness.append((column, cell.likeness))
        suffixes = tuple([(role, stem_and_suffix(name)[1]) for role, name in item.inputs.items()])
        key = (item.command, suffixes, stem_and_suffix(item.output)[1], tuple(likeness), bool(item.sample))
        form = self._known.get(key)
        if form is None:
            if len(self._known) >= FORMS:
                self._known.clear()
            form = self._known[key] = self._form(*key)
        return Reading(faults, form)

    def _form(self, command: str, inputs: Pairs, output: str, options: Pairs, sampled: bool) -> Form | FacepipeError:
        files = {role: placeholder(role, suffix) for role, suffix in inputs}
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in options}
        row = Columns(command, files, placeholder("output", output), values, int(sampled))
        try:
            prepared = request_of(row, Path()).prepare(self._settings)
            if self.bounds:
                check_edit(prepared.options.edit, self.bounds, space=SPACES[prepared.options.space])
        except FacepipeError as error:
            return error
        return _form_of(command, prepared)

    @cached_property
    def bounds(self) -> Bounds:
        """The bounds of sliders; empty if the face model is missing, which is a fault of the machine."""
        try:
            return read_bounds(weights.find("face-model").path)
        except FacepipeError:
            return {}

    def slider_fault(self, name: str, value: float) -> str:
        """Return why a slider is out of its bounds; empty if it is not, or if the bounds are not known."""
        try:
            check_edit(Edit(values={name: value}), self.bounds or {name: (value, value)})
        except FacepipeError as error:
            return str(error)
        return ""


Pairs = tuple[tuple[str, Any], ...]


def _form_of(command: str, prepared: Prepared) -> Form:
    options, needed = prepared.options, prepared.dependencies
    kind = " ".join((command, options.codec, *sorted(set(needed.weights))))
    parts = tuple(tuple(PLACEHOLDER.split(str(path))) for path in prepared.files)
    return Form(kind, options.space, needed, parts)


def _filled_in(parts: Sequence[str], item: Item) -> list[str]:
    """Return a text in which each second part is the name of a column, with its path without its suffix instead."""
    texts = list(parts)
    for at in range(1, len(texts), 2):
        column = texts[at]
        path = item.output if column == "output" else str(item.inputs.get(column) or item.options.get(column, ""))
        texts[at] = path[: len(path) - len(stem_and_suffix(path)[1])]
    return texts


def _filled(parts: Sequence[str], item: Item) -> str:
    """Return the path of a file of an item. Below a folder only the name of another file is filled in."""
    texts = _filled_in(parts, item)
    for at in range(3, len(texts), 2):
        texts[at] = texts[at].rpartition("/")[2]
    return "".join(texts)
