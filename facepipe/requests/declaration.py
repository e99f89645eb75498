"""Declarations of request fields, for the command line, the columns of a batch and Python keywords."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from facepipe.settings import Bounds, bounds_of, choices_of


@dataclass(frozen=True)
class Option:
    """The declaration of one field of a request."""

    help: str
    positional: bool = False
    """A positional argument: SOURCE, not --source."""
    setting: str = ""
    """"section.key" of the setting that is used if the field is None. The field has the bounds of the setting."""
    minimum: float | None = None
    maximum: float | None = None
    """Inclusive bounds."""
    short: str = ""
    """One-letter flag, such as "-o"."""
    metavar: str = ""
    reads: bool = False
    """Whether the field is the path of a file that is read."""
    reads_if: Callable[[str], bool] | None = None
    """Returns whether a text value is the path of a file that is read, for fields that take words as well."""
    in_rows: bool = True
    """Whether a batch row may have this option as a column."""
    span: tuple[float, float] | None = None
    """The range of useful values, for the help; not checked here."""
    exact: bool = False
    """Whether the checks of a request depend on the value of this number or path, beyond its own bounds."""
    accepts: tuple[str, ...] = ()
    """Kinds of file that are read: image, video, sound, motion, track; empty for every kind."""


SEEN = ("image", "video")
PORTRAYED = (*SEEN, "avatar")
HEARD = ("sound", "video")


def option(help: str, *, default: Any = MISSING, **declared: Any) -> Any:
    """Declare an option. It is required if it has no default."""
    return field(default=default, metadata={"option": Option(help, **declared)})


def from_setting(name: str, help: str, **declared: Any) -> Any:
    """Declare an option that overrides the setting "section.key". None selects the value of the setting."""
    return option(help, default=None, setting=name, **declared)


def argument(help: str, **declared: Any) -> Any:
    """Declare a positional argument: the path of one file that is read, or of several."""
    return option(help, positional=True, reads=True, **declared)


@dataclass(frozen=True)
class Declared:
    """A field of a request with its declaration."""

    name: str
    type: type
    """bool, int, float, str or Path: the type of the value, or of each element if `several`."""
    option: Option
    default: Any
    """MISSING if the field is required."""
    several: bool = False
    """Whether the value is a tuple."""
    optional: bool = False
    """Whether the value may be None."""
    panel: str = ""
    """The heading in the help: the `panel` of the class that declares the field."""

    @property
    def flag(self) -> str:
        """Return the long flag, such as "--paste-back"."""
        return f"--{self.name.replace('_', '-')}"

    def is_read(self, value: object) -> bool:
        """Return whether a value of the field is the path of a file that is read."""
        return self.option.reads or (self.option.reads_if is not None and self.option.reads_if(str(value)))

    @property
    def required(self) -> bool:
        """Return whether the field has no default."""
        return self.default is MISSING

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the values of a field whose setting has a fixed set of them; else an empty tuple."""
        return choices_of(self.option.setting) if self.option.setting else ()

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
    panels = {name: vars(one).get("panel", "") for one in reversed(request.__mro__) for name in _own(one)}
    names = (name for name in dict.fromkeys(_names(request)) if name in by_name)
    return {name: _declared(by_name[name], hints[name], panels[name]) for name in names}


def _names(request: type) -> Iterator[str]:
    for one in request.__mro__:
        yield from _own(one)


def _own(kind: type) -> Iterable[str]:
    return tuple(vars(kind).get("__annotations__", {}))


def _declared(one: Field[Any], hint: Any, panel: str) -> Declared:
    optional = get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)
    if optional:
        (hint,) = (arm for arm in get_args(hint) if arm is not type(None))
    several = get_origin(hint) is tuple
    kind = get_args(hint)[0] if several else hint
    assert kind in (bool, int, float, str, Path), f"{one.name} has the unsupported type {hint}"
    return Declared(one.name, kind, one.metadata["option"], one.default, several, optional, panel)
