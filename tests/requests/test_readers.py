"""The command line, a batch row and Python keywords read one declaration, and give one request."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facepipe.cli import app, commands
from facepipe.errors import UsageError
from facepipe.motion.sliders import SLIDERS, read_bounds
from facepipe.requests import REQUESTS, AudioRequest, EditRequest, ReenactRequest, Request
from facepipe.requests.columns import Columns, request_of
from facepipe.requests.declaration import Declared, declared
from facepipe.requests.keywords import request_from
from facepipe.requests.sliders import Sliders
from facepipe.settings import bounds_of
from facepipe.settings import declared as declared_settings
from facepipe.weights import find
from tests.pipeline.scene import ROOT

ROLES = ("source", "driving")
EVERY = [(kind, name) for kind in REQUESTS.values() for name in declared(kind)]
OPTIONS = [
    (kind, name) for kind, name in EVERY if not declared(kind)[name].option.positional and name not in ("out", "work")
]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that the command line would run."""
    seen: list[Request] = []
    monkeypatch.setattr(commands, "run_request", lambda request, _: seen.append(request))
    return seen


def some(field: Declared) -> Any:
    """A value that is allowed, and is not the default."""
    if field.type is bool:
        return not field.default
    if field.type is str:
        return ("a", "b=1:2") if field.several else "x"
    if field.type is Path:
        return (Path("deep/a file.x"), Path("other.x")) if field.several else Path("deep/file.x")
    low, high = field.bounds
    value = field.type(high if high is not None else (low or 0) + 2)
    return value if field.type is int else value - 0.25


def inputs(kind: type[Request]) -> list[str]:
    return [f"{name}.x" for name, field in declared(kind).items() if field.option.positional]


def words(field: Declared, value: Any) -> list[str]:
    if value is False:
        return [f"--no{field.flag[1:]}"]
    if value is True:
        return [field.flag]
    return [f"{field.flag}={one}" for one in (value if field.several else [value])]


@pytest.mark.parametrize(("kind", "name"), OPTIONS, ids=[f"{kind.command}-{name}" for kind, name in OPTIONS])
def test_three_readers_give_one_request(kind: type[Request], name: str, requests: list[Request]) -> None:
    field = declared(kind)[name]
    value, files = some(field), inputs(kind)
    argv = [kind.command, *files, "-o", "out.x", *words(field, value)]
    message = CliRunner().invoke(app, argv)
    assert message.exit_code == 0, message.output
    arguments = [name for name, one in declared(kind).items() if one.option.positional]
    called = request_from(kind, {**dict(zip(arguments, files, strict=True)), "out": "out.x", name: value})
    assert requests == [called]
    assert getattr(called, name) == value
    if field.option.in_rows:
        row = Columns(kind.command, dict(zip(ROLES, files, strict=False)), "out.x", {name: cell(field, value)})
        assert request_of(row, Path()) == called


def cell(field: Declared, value: Any) -> Any:
    """The text of a CSV cell."""
    if field.several:
        return "; ".join(map(str, value)) if field.type is Path else " ".join(value)
    return str(value).lower() if field.type is bool else str(value)


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=REQUESTS)
def test_a_default_is_that_of_the_command_line(kind: type[Request], requests: list[Request]) -> None:
    message = CliRunner().invoke(app, [kind.command, *inputs(kind), "-o", "out.x"])
    assert message.exit_code == 0, message.output
    for name, field in declared(kind).items():
        if field.default is not MISSING and name != "out":
            assert getattr(requests[0], name) == field.default


def test_linked_settings_exist_and_give_their_bounds() -> None:
    known = {name for name, _, _ in declared_settings()}
    for kind, name in EVERY:
        if setting := declared(kind)[name].option.setting:
            assert setting in known
            assert declared(kind)[name].bounds == bounds_of(setting)


def test_sliders_are_those_of_the_face_model() -> None:
    assert tuple(declared(Sliders)) == SLIDERS
    spans = {name: field.option.span for name, field in declared(Sliders).items()}
    assert spans == read_bounds(find("face-model").path)


def test_a_false_cell_is_not_passed_over() -> None:
    row = Columns("audio", {"source": "a.png", "sound": "b.wav"}, "c.mp4", {"blinks": "false", "breath": False})
    made = request_of(row, Path("here"))
    assert isinstance(made, AudioRequest)
    assert (made.blinks, made.breath, made.smooth_head) == (False, False, True)
    assert (made.source, made.out) == (Path("here/a.png"), Path("here/c.mp4"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 9}, "strength is 9, expected a number from 0 to 3"),
        ({"strength": "much"}, "strength is 'much', expected a number"),
        ({"size": "4.5"}, "size is '4.5', expected a whole number"),
        ({"size": True}, "size is True, expected a whole number"),
        ({"grid": "maybe"}, "grid is 'maybe', expected true or false"),
        ({"grid": 1.5}, "grid is 1.5, expected true or false"),
        ({"strenght": 1}, "'strenght' is not an option of reenact; did you mean 'strength'"),
        ({"work": "elsewhere"}, "'work' is an option of the whole batch"),
        ({"quiet": True}, "'quiet' is an option of the whole batch"),
        ({"only": ["pose"]}, "not a list"),
    ],
)
def test_cells_that_do_not_fit_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        request_of(Columns("reenact", {"source": "a.png", "driving": "b.mp4"}, "c.mp4", options), Path())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strenght": 1.0}, "reenact has no option 'strenght'; did you mean 'strength'"),
        ({"size": "256"}, "size is '256', expected a whole number"),
        ({"size": 9}, "size is 9, expected a whole number from 64 to 2048"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"grid": 1}, "grid is 1, expected true or false"),
        ({"driver": None}, "reenact needs driver"),
        ({"driver": 3}, "driver is 3, expected a path"),
    ],
)
def test_keywords_that_do_not_fit_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        request_from(ReenactRequest, {"source": "a.png", "driver": "b.mp4", **given})


def test_numbers_stand_for_texts_and_whole_numbers_for_floats() -> None:
    made = request_from(ReenactRequest, {"source": "a.png", "driver": "b.mp4", "face": 2, "strength": 1})
    assert (made.face, made.strength, type(made.strength)) == ("2", 1.0, float)
    assert request_from(EditRequest, {"source": "a.png", "sweep": "yaw=0:1"}).sweep == ("yaw=0:1",)


def test_declarations_wait_for_nothing_heavy() -> None:
    code = "import sys, facepipe.requests.columns, facepipe.requests.keywords; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).split()
    assert {"torch", "numpy", "typer", "cv2"} & set(loaded) == set()
