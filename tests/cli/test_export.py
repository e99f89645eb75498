"""`facepipe export` from a portrait to the folder of its avatar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from facepipe.export import models
from tests.pipeline.scene import run
from tests.renderers.bilayer.small import add_bilayer

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
PORTRAIT = "portrait.png"


@pytest.fixture(autouse=True)
def _networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.astronaut()).save(PORTRAIT)  # type: ignore[no-untyped-call]


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
