"""The identity of a result: stage, version, inputs, parameters and weights, but no place and no time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from numbers import Rational
from typing import Any, cast

from facepipe.engine.difference import changes, summary
from facepipe.engine.stage import Json
from facepipe.errors import UsageError


@dataclass(frozen=True)
class Identity:
    """The data that the fingerprint is computed from."""

    stage: str
    version: int
    params: Mapping[str, Json]
    inputs: Mapping[str, str | list[str]]
    """The sha256 of each input by name; a list for inputs that take several files."""
    weights: Mapping[str, str]

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 (64 hex digits) of this identity's canonical JSON."""
        return hashlib.sha256(canonical_json(self.as_json()).encode()).hexdigest()

    def as_json(self) -> dict[str, Json]:
        """Return the identity as a JSON object."""
        return {field.name: cast(Json, getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Identity:
        """Parse the output of `as_json`. Extra keys are ignored; invalid content raises KeyError or TypeError."""
        identity = cls(**{field.name: content[field.name] for field in dataclasses.fields(cls)})
        for mapping in (identity.params, identity.inputs, identity.weights):
            if not isinstance(mapping, dict):
                raise TypeError(f"expected an object, got {mapping!r}")
        return identity


def canonical_json(value: Json) -> str:
    """Return the canonical JSON text of a value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json_of_params(params: object) -> dict[str, Json]:
    """Return the fields of a params dataclass as JSON, without those marked `facepipe.engine.stage.NOT_IN_FINGERPRINT`.

    1 and 1.0 give the same JSON; a fraction becomes "30000/1001". Raises UsageError for nan and infinity, which a user
    can type, and TypeError for types that cannot be a setting, such as paths.
    """
    if not dataclasses.is_dataclass(params) or isinstance(params, type):
        raise TypeError(f"params must be a dataclass instance, got {params!r}")
    return {
        field.name: _plain(getattr(params, field.name), field.name)
        for field in dataclasses.fields(params)
        if not field.metadata.get("not_in_fingerprint")
    }


def _plain(value: Any, name: str) -> Json:
    if isinstance(value, Enum):
        return _plain(value.value, name)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UsageError(f"{name} is {value}; give a finite number")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, Rational):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, list | tuple):
        return [_plain(item, name) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{name}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return json_of_params(value)
    raise TypeError(f"{name} contains {type(value).__name__}, which cannot be part of a fingerprint")


def difference(old: Identity, new: Identity) -> str:
    """Return a short text on the difference between two identities of the same work, "new" if there is none."""
    if (old.stage, old.version) != (new.stage, new.version):
        return "program changed"
    if name := _first_difference(old.inputs, new.inputs):
        return f"input changed ({name})"
    if name := _first_difference(old.weights, new.weights):
        return f"weights changed ({name})"
    if set(old.params) != set(new.params):
        return "program changed"
    if changed := changes(old.params, new.params):
        return f"settings changed ({summary(changed)})"
    return "new"


def _first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    absent = object()
    names = sorted({*old, *new})
    return next((name for name in names if old.get(name, absent) != new.get(name, absent)), "")
