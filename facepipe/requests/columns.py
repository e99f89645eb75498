"""Requests from the rows of a batch: inputs by role, options by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from facepipe.config import hint
from facepipe.errors import UsageError
from facepipe.requests import REQUESTS, Request
from facepipe.requests.conversion import cells_of, from_text
from facepipe.requests.declaration import Declared, declared

BATCH_WIDE = ("force", "dry_run", "json", "quiet", "verbose", "list", "help", "jobs")
"""Options of commands that are not fields of requests; a batch has them as a whole."""


@dataclass(frozen=True)
class Columns:
    """The content of a batch row."""

    command: str
    inputs: Mapping[str, str]
    """Paths by role (source, driving, sound), in the order of the command's arguments."""
    output: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 0


def request_class(command: str) -> type[Request]:
    """Return the request class of a command. Raises UsageError with a hint at the known commands."""
    if command not in REQUESTS:
        raise UsageError(f"{command!r} is not a command that makes results{hint(command, REQUESTS)}")
    return REQUESTS[command]


def request_of(row: Columns, folder: Path) -> Request:
    """Return the request that a row describes; its paths are relative to `folder`. Raises UsageError."""
    kind = request_class(row.command)
    known = declared(kind)
    files = _files(row, known)
    values = {name: cell_value(row.command, name, value) for name, value in _options(row, known).items()}
    values |= {name: from_text(known[name], path) for name, path in {**files, "out": row.output}.items()}
    return kind(**{name: _located(folder, known[name], value) for name, value in values.items()})


def _files(row: Columns, known: Mapping[str, Declared]) -> dict[str, Any]:
    """Return the row's paths by field: first the positional arguments, then options, such as the sound of mux."""
    arguments = [name for name, field in known.items() if field.option.positional]
    roles = list(row.inputs)
    named = [role for role in roles[len(arguments) :] if role in known]
    if len(roles) - len(named) != len(arguments):
        count = f"{len(arguments)} file{'s' * (len(arguments) > 1)}"
        raise UsageError(f"{row.command} takes {count}, but the row names {', '.join(roles)}")
    by_field = {name: row.inputs[role] for name, role in zip(arguments, roles, strict=False)}
    # A path may contain spaces, so it is not split.
    listed = {name: [path] if known[name].several else path for name, path in by_field.items()}
    return {**listed, **{role: row.inputs[role] for role in named}}


def _options(row: Columns, known: Mapping[str, Declared]) -> dict[str, Any]:
    options = dict(row.options)
    if row.sample:
        if "seed" not in known:
            raise UsageError(f"{row.command} has no seed, so the column sample cannot be used with it; remove it")
        # The seed depends only on the row, so other rows of the list do not change a take.
        options["seed"] = from_text(known["seed"], from_text(known["seed"], options.get("seed", 0)) + row.sample)
    return options


def cell_value(command: str, column: str, value: Any) -> Any:
    """Return the value of a cell in the type of its field. Raises UsageError."""
    allowed = _columns_of(command)
    if column in allowed:
        return from_text(allowed[column], value)
    known = declared(request_class(command))
    batch_wide = column in BATCH_WIDE or (column in known and not known[column].option.in_rows)
    own = "is an option of the whole batch" if batch_wide else f"is not an option of {command}"
    raise UsageError(f"the column {column!r} {own}{hint(column, allowed)}")


@lru_cache(maxsize=100)
def _columns_of(command: str) -> Mapping[str, Declared]:
    """Return the options that rows of a command may have as columns. Raises UsageError for an unknown command."""
    known = declared(request_class(command))
    return {name: field for name, field in known.items() if field.option.in_rows and not field.option.positional}


def _located(folder: Path, field: Declared, value: Any) -> Any:
    """Return a value with its paths relative to the folder of the list."""
    if field.type is str and isinstance(value, str) and field.is_read(value):
        return str(folder / value)
    return _below(folder, value)


def _below(folder: Path, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_below(folder, one) for one in value)
    return folder / value if isinstance(value, Path) else value


def _names_read(command: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options of a row whose values are paths that are read."""
    known = declared(REQUESTS[command]) if command in REQUESTS else {}
    return tuple(name for name in _may_read(command, tuple(options)) if known[name].is_read(options[name]))


@lru_cache(maxsize=1000)
def _may_read(command: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    known = declared(REQUESTS[command]) if command in REQUESTS else {}
    return tuple(
        name for name in columns if name in known and (known[name].option.reads or known[name].option.reads_if)
    )


def files_read(command: str, inputs: Iterable[str], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths that a row reads, as written in the row."""
    known = declared(REQUESTS[command]) if command in REQUESTS else {}
    names = _names_read(command, options)
    return (*inputs, *(path for name in names for path in _paths(known[name], options[name])))


def _paths(field: Declared, value: Any) -> list[str]:
    """Return the paths in a cell, as written there."""
    return [str(path) for path in cells_of(field, value)] if field.several else [str(value)]


def kinds_read(command: str, roles: Iterable[str], options: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Return the accepted kinds (`Option.accepts`) of each path that `files_read` returns for a row.

    `roles` are those of its inputs, in their order. A path that the command does not know accepts every kind.
    """
    known, names = declared(REQUESTS[command]) if command in REQUESTS else {}, _names_read(command, options)
    each = tuple(name for name in names for _ in _paths(known[name], options[name]))
    return _kinds(command, tuple(roles), each)


@lru_cache(maxsize=1000)
def _kinds(command: str, roles: tuple[str, ...], names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    known = declared(REQUESTS[command]) if command in REQUESTS else {}
    arguments = [name for name, field in known.items() if field.option.positional]
    named = [arguments[at] if at < len(arguments) else role for at, role in enumerate(roles)]
    return tuple(known[name].option.accepts if name in known else () for name in (*named, *names))
