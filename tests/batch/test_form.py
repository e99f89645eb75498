"""Rows that differ only in numbers and names share a form, and cells are checked one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.batch.commands import Commands
from facepipe.batch.form import Form, Forms
from facepipe.batch.item import Item, identified
from facepipe.batch.template import stem_and_suffix
from facepipe.config import load_settings
from facepipe.engine import Json
from facepipe.requests import REQUESTS, Request
from facepipe.requests.columns import Columns, request_of
from facepipe.requests.declaration import Declared, declared

NUMBERS = [
    (kind, name)
    for kind in REQUESTS.values()
    for name, field in declared(kind).items()
    if field.type in (int, float) and field.option.in_rows and not field.option.exact
]


def row(number: int, **options: Json) -> Item:
    files = {"source": f"a{number}.png", "driving": f"b{number}.mp4"}
    return identified(Item("reenact", files, {"strength": 1 + number / 1000, **options}, f"o/{number}.mp4"))


def test_a_thousand_rows_with_numbers_of_their_own_are_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request of a form is prepared once; a row costs its cells."""
    forms = Forms(load_settings())
    seen: list[object] = []

    def remember(*key: object) -> Form:
        seen.append(key)
        return Form.__new__(Form)

    monkeypatch.setattr(forms, "_form", remember)
    for number in range(1000):
        forms.read(row(number, seed=number, sheet=f"{number}.png", reference=str(number), size=64 + 2 * number % 900))
    assert len(seen) == 1


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=[f"{kind.command}-{name}" for kind, name in NUMBERS])
def test_the_number_of_an_option_decides_nothing_but_its_own_bounds(kind: type[Request], name: str) -> None:
    """Otherwise the option must be declared `exact`."""
    field = declared(kind)[name]
    prepared = []
    for value in numbers(field):
        options: dict[str, Any] = {name: value, **({"random": 3} if kind.command == "edit" and name == "seed" else {})}
        options |= {"from_image": "f.png"} if kind.command == "edit" and name == "strength" else {}
        options |= {"size": {"crop": True}, "quality": {"alpha": True}}.get(name, {}) if kind.command == "matte" else {}
        files = [one for one, declaration in declared(kind).items() if declaration.option.positional]
        inputs = dict(zip(("source", "driving"), (f"{file}.png" for file in files), strict=False))
        suffix = "npz" if kind.command in ("motion", "coefficients", "features") else "mp4"
        made = request_of(Columns(kind.command, inputs, f"x.{suffix}", options), Path()).prepare(load_settings())
        prepared.append((made.dependencies, made.options.codec, made.files))
    assert prepared[0] == prepared[1]


def numbers(field: Declared) -> tuple[float, float]:
    low, high = field.bounds
    return field.type(low or 0), field.type(high if high is not None else (low or 0) + 2)


def test_each_fault_of_a_row_is_told_with_its_column() -> None:
    item = row(1, size=65, no_face="cry", colour="red", fps="x")
    faults = Commands(load_settings()).check(replace(item, inputs={"source": "a.png"}))
    assert set(faults) == {"size", "no_face", "colour", "fps", ""}
    assert "even" in faults["size"]
    assert "takes 2 files" in faults[""]


def test_all_files_of_an_item_are_known() -> None:
    commands = Commands(load_settings())

    def results(command: str, output: str, **options: Json) -> list[str]:
        inputs = {"source": "in/a.b.png", **({"driving": "d.mp4"} if command == "reenact" else {})}
        return list(commands.results(identified(Item(command, inputs, options, output))))

    assert results("crop", "o/x.y.png") == ["o/x.y.png", "o/x.y.track.npz"]
    assert results("crop", "o/folder") == ["o/folder/a.b"]
    assert results("reenact", "o/x.mp4", sheet="s/t.PNG") == ["o/x.mp4", "s/t.PNG"]
    assert results("edit", "o/x.png", random=2) == ["o/x-1.png", "o/x-2.png"]


@given(st.text(alphabet="ab./", max_size=8))
def test_stems_are_those_of_pathlib(path: str) -> None:
    assert stem_and_suffix(path) == (PurePath(path).stem, PurePath(path).suffix) or {".", ".."} & set(path.split("/"))
