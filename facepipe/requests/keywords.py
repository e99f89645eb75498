"""Requests from Python keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from facepipe.config import hint
from facepipe.errors import UsageError
from facepipe.requests.conversion import from_python
from facepipe.requests.declaration import declared
from facepipe.requests.request import RequestBase

R = TypeVar("R", bound=RequestBase)


def request_from(kind: type[R], given: Mapping[str, Any]) -> R:
    """Return a request from keyword arguments. Raises UsageError for unknown, missing or invalid arguments."""
    fields = declared(kind)
    for name in given:
        if name not in fields:
            raise UsageError(f"{kind.command} has no option {name!r}{hint(name, fields)}")
    for name, field in fields.items():
        if field.required and given.get(name) is None:
            raise UsageError(f"{kind.command} needs {name}: {field.option.help}")
    return kind(**{name: from_python(fields[name], value) for name, value in given.items()})
