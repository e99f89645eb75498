"""The declaration of a request's field: once, for the command line, the columns of a batch and Python keywords."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from facepipe.settings import Bounds, bounds_of


@dataclass(frozen=True)
class Option:
    """The declaration of one field of a request."""

    help: str
    positional: bool = False
    """An input in its own right: SOURCE, not --source."""
    setting: str = ""
    """"section.key" of the setting that holds where the field is None; the field has its bounds."""
    minimum: float | None = None
    maximum: float | None = None
    """Bounds, both allowed."""
    short: str = ""
    """One-letter flag, as "-o"."""
    metavar: str = ""
    reads: bool = False
    """The field names a file that is read."""
    in_rows: bool = True
    """A row of a batch may have it as a column."""


def option(help: str, *, default: Any = MISSING, **declared: Any) -> Any:
    """Declare an option; without a default it is required."""
    return field(default=default, metadata={"option": Option(help, **declared)})


def from_setting(name: str, help: str, **declared: Any) -> Any:
    """Declare an option that overrides the setting "section.key"; None leaves it to the setting."""
    return option(help, default=None, setting=name, **declared)


def argument(help: str, **declared: Any) -> Any:
    """Declare a positional argument: a file that is read, or several."""
    return option(help, positional=True, reads=True, **declared)


@dataclass(frozen=True)
class Declared:
    """A field of a request with its declaration."""

    name: str
    type: type
    """bool, int, float, str or Path: of the value, or of each one where there are `several`."""
    option: Option
    default: Any
    """MISSING where the field is required."""
    several: bool = False
    """The value is a tuple."""
    optional: bool = False
    """The value may be None."""

    @property
    def flag(self) -> str:
        """Return the long flag, as "--paste-back"."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def required(self) -> bool:
        """Return whether there is no default."""
        return self.default is MISSING

    @property
    def bounds(self) -> Bounds:
        """Return the smallest and the largest allowed value."""
        own = Bounds(self.option.minimum, self.option.maximum)
        return bounds_of(self.option.setting) if self.option.setting else own


def declared(request: type) -> Mapping[str, Declared]:
    """Return the fields of a request class by name: its own first, then those of its bases in their order."""
    return _declared_fields(request)


@lru_cache(maxsize=32)
def _declared_fields(request: type) -> Mapping[str, Declared]:
    hints, by_name = get_type_hints(request), {one.name: one for one in fields(request) if "option" in one.metadata}
    return {name: _declared(by_name[name], hints[name]) for name in dict.fromkeys(_names(request)) if name in by_name}


def _names(request: type) -> Iterator[str]:
    for one in request.__mro__:
        yield from vars(one).get("__annotations__", {})


def _declared(one: Field[Any], hint: Any) -> Declared:
    optional = get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)
    if optional:
        (hint,) = (arm for arm in get_args(hint) if arm is not type(None))
    several = get_origin(hint) is tuple
    kind = get_args(hint)[0] if several else hint
    assert kind in (bool, int, float, str, Path), f"{one.name} is of the type {hint}, which no reader knows"
    return Declared(one.name, kind, one.metadata["option"], one.default, several, optional)
