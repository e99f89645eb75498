"""`facepipe export` from a portrait to the folder of its avatar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from facepipe.avatar import models
from facepipe.engine.stage import Stage, StageRun
from facepipe.pipeline import perception, rendering
from facepipe.rendering.background_rule import MATTING
from facepipe.weights import WeightFile, find
from tests.pipeline.scene import run
from tests.renderers.bilayer.small import add_bilayer

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
PORTRAIT = "portrait.png"


@dataclass(frozen=True)
class Params:
    """Parameters of the toy stage."""


def matted(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write a matte of the head: an ellipse."""
    side = Image.open(run.input("media")).width
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    matte = np.uint8(255 * (np.hypot(rows, columns) < 0.4))
    Image.fromarray(matte).save(run.output / "matte.png")
    return {}


MATTE = Stage("matte", 1, ("media",), ("matte.png",), Params, matted, weights=(MATTING,))


def found(*names: str) -> dict[str, WeightFile]:
    """Return weights; the file of the matting network, which is not opened here, is another one."""
    return {name: find("face-model" if name == MATTING else name) for name in names}


@pytest.fixture(autouse=True)
def _networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setattr(perception, "matte_stage", lambda: MATTE)
    monkeypatch.setattr(rendering, "find_weights", found)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.astronaut()).save(PORTRAIT)


def test_a_portrait_becomes_an_avatar(tmp_path: Path) -> None:
    add_bilayer(tmp_path)
    outcome = run("export", "bilayer", PORTRAIT, "-o", "avatar", "--json", "--precision", "fp32")
    assert outcome.exit_code == 0, outcome.stderr
    checks = [one for line in outcome.stdout.splitlines() if (one := json.loads(line))["event"] == "check"]
    assert [(one["precision"], one["wrong"]) for one in checks] == [("fp32", False)]
    about = json.loads(Path("avatar/avatar.json").read_text("utf-8"))
    assert about["source"]["file"] == PORTRAIT
    assert {"bilayer-official"} <= {*about["weights"]}
    before = {path.name: path.stat().st_mtime_ns for path in Path("avatar").iterdir()}
    assert set(before) == {"model.onnx", "texture.png", "avatar.json", "README.md", "sample.py"}
    again = run("export", "bilayer", PORTRAIT, "-o", "avatar", "--precision", "fp32")
    assert again.stdout.split() == ["avatar"]
    assert "fp32: 0.0 MB" in again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in Path("avatar").iterdir()} == before


def test_faults_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = run("export", "bilayer", PORTRAIT, "-o", "avatar")
    assert missing.exit_code == 3
    assert "bilayer-official" in missing.stderr
    Path("avatar").mkdir()
    Path("avatar/notes.txt").write_text("")
    add_bilayer(tmp_path)
    taken = run("export", "bilayer", PORTRAIT, "-o", "avatar", "--overwrite")
    assert (taken.exit_code, "contains other files (notes.txt)" in taken.stderr) == (3, True)
    assert [path.name for path in Path("avatar").iterdir()] == ["notes.txt"]
    monkeypatch.setattr(models, "PACKAGES", ("no_such_package",))
    lacking = run("export", "bilayer", PORTRAIT, "-o", "other")
    assert (lacking.exit_code, "pip install 'facepipe[export]'" in lacking.stderr) == (3, True)
    assert not Path("other").exists()
