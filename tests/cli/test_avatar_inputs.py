"""Commands that take avatars, or refuse them."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from facepipe.avatar import compiling
from facepipe.avatar.head import ENGINE_VERSION
from facepipe.avatar.units import UNITS
from facepipe.cli.completion import complete_changes, complete_units, completing
from facepipe.errors import ToolError
from facepipe.export.avatar_file import read_take
from tests.pipeline.scene import run


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "me.json"
    path.write_text(json.dumps({"format": "facepipe-avatar", "schema": 1, "engine": ENGINE_VERSION}))
    return path


@pytest.mark.parametrize("command", [("bench",), ("evaluate", ".")])
def test_renderers_of_avatars_are_not_compared_with_pictures(command: tuple[str, ...]) -> None:
    done = run(*command, "--renderer", "avatar")
    assert done.exit_code == 2
    assert "animates no pictures" in done.stderr
    assert "compact, mesh" in done.stderr


def test_an_avatar_is_no_medium(params: Path, tmp_path: Path) -> None:
    for command in (("crop", params), ("reenact", params, params)):
        done = run(*command, "-o", tmp_path / "out.mp4")
        assert done.exit_code == 3
        assert "is an avatar by its name" in done.stderr.replace("\n", " ")


def test_a_misspelt_unit_is_told(params: Path, tmp_path: Path) -> None:
    done = run("avatar", "render", params, "-o", tmp_path / "me.png", "--unit", "jawopen=1")
    assert done.exit_code == 2
    assert "did you mean jawOpen?" in done.stderr.replace("\n", " ")


def test_a_unit_without_effect_is_refused(params: Path, tmp_path: Path) -> None:
    done = run("avatar", "render", params, "-o", tmp_path / "me.png", "--unit", "mouthClose=0.5")
    assert done.exit_code == 2
    assert "no effect without jawOpen; add --unit jawOpen=0.5" in done.stderr.replace("\n", " ")


def test_a_sheet_has_a_limit(tmp_path: Path) -> None:
    done = run("avatar", "sample", "-o", tmp_path / "heads", "-n", "1001", "--sheet", tmp_path / "sheet.png")
    assert done.exit_code == 2
    assert "lower --count" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_csv_take_is_told_from_a_motion_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"facepipe blendshapes .*take.csv -o take.npz"):
        read_take(tmp_path / "take.csv")


@pytest.mark.parametrize("version", ["", "0.1"])
def test_doctor_says_whether_avatars_can_be_made(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path))
    compiling._opened.cache_clear()

    class Package:
        def __init__(self, name: str) -> None:
            self.version = version
            if not version:
                raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", Package)
    done = run("doctor")
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("renderer  avatar"))
    assert "unavailable" in line
    assert "pip install" in line
    with pytest.raises(ToolError):
        compiling.open_head()


def test_completion() -> None:
    assert "head_width=" in complete_changes("head")
    assert complete_changes("hair=bo") == ["hair=bowl", "hair=bob", "hair=bob-fringe"]
    assert "skin=tan" in complete_changes("skin=")
    assert complete_units("jawO") == ["jawOpen="]
    assert len(complete_units("")) == len(UNITS)
    assert "avatar" in completing("renderer")("")
    assert "avatar" not in completing("picture_renderer")("")
