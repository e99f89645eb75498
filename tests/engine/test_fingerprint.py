"""A fingerprint depends on inputs, parameters, weights and version, and on nothing else."""

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from facepipe.engine.fingerprint import Identity, difference, json_of_params
from facepipe.engine.stage import NOT_IN_FINGERPRINT
from facepipe.errors import UsageError


@dataclass(frozen=True)
class Params:
    value: Any = None
    table: dict[str, Any] = field(default_factory=dict)


IDENTITY = Identity("crop", 1, {"size": 256, "fit": "pad"}, {"clip": "a" * 64}, {"detector": "b" * 64})


def test_the_fingerprint_is_the_sha256_of_sorted_json() -> None:
    text = (
        '{"inputs":{"clip":"' + "a" * 64 + '"},"params":{"fit":"pad","size":256},"stage":"crop","version":1,'
        '"weights":{"detector":"' + "b" * 64 + '"}}'
    )
    assert IDENTITY.fingerprint == hashlib.sha256(text.encode()).hexdigest()
    reordered = Identity("crop", 1, {"fit": "pad", "size": 256}, IDENTITY.inputs, IDENTITY.weights)
    assert reordered.fingerprint == IDENTITY.fingerprint


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, 1),
        (-0.0, 0),
        (0.5, 0.5),
        (True, True),
        (Fraction(30000, 1001), "30000/1001"),
        ((1, 2.0), [1, 2]),
        ("é", "é"),
    ],
)
def test_params_become_json(value: object, expected: object) -> None:
    content = json_of_params(Params(value))
    assert content == {"value": expected, "table": {}}
    assert type(content["value"]) is type(expected)


def test_means_do_not_make_another_result() -> None:
    """Fields marked NOT_IN_FINGERPRINT are not part of the fingerprint."""

    @dataclass(frozen=True)
    class Fast(Params):
        by_hand: bool = field(default=True, metadata=NOT_IN_FINGERPRINT)

    assert json_of_params(Fast(1)) == json_of_params(Fast(1, by_hand=False)) == {"value": 1, "table": {}}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("-inf")]])
def test_nan_and_infinity_are_usage_errors(value: object) -> None:
    with pytest.raises(UsageError, match=r"value is -?(nan|inf)"):
        json_of_params(Params(value))


@pytest.mark.parametrize("value", [Path("a.mp4"), object(), b"x", {1, 2}])
def test_a_path_is_not_a_setting(value: object) -> None:
    with pytest.raises(TypeError, match="value"):
        json_of_params(Params(value))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "new"),
        ({"version": 2}, "program changed"),
        ({"inputs": {"clip": "c" * 64}}, "input changed (clip)"),
        ({"weights": {"detector": "c" * 64}}, "weights changed (detector)"),
        ({"weights": {}}, "weights changed (detector)"),
        ({"params": {"size": 512, "fit": "pad"}}, "settings changed (size: 256 -> 512)"),
        ({"params": {"size": 256, "fit": "x" * 60}}, f"settings changed (fit: pad -> {'x' * 37}...)"),
        ({"params": {"size": 256}}, "program changed"),
    ],
)
def test_the_difference_is_named(change: dict[str, Any], reason: str) -> None:
    changed = Identity(**{**IDENTITY.as_json(), **change})
    assert difference(IDENTITY, changed) == reason
    assert (changed.fingerprint == IDENTITY.fingerprint) == (reason == "new")
    assert Identity.from_json({**changed.as_json(), "more": 1}) == changed


@pytest.mark.parametrize("content", [{}, {**IDENTITY.as_json(), "params": 3}])
def test_invalid_identities_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        Identity.from_json(content)
