"""`facepipe train` hands its words on to the trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from facepipe.cli import app


@pytest.mark.parametrize("name", ["detector", "landmarker", "face-model", "avatar-pictures", "imitator", "release"])
def test_every_training_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = CliRunner().invoke(app, ["train", name, "--help"])
    assert result.exit_code == 0
    assert f"facepipe train {name}" in result.output


def test_missing_words_are_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["train", "landmarker", "--data", "here"]).exit_code == 2


def test_a_folder_without_material_is_told(tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--labels", str(tmp_path), "--out", str(tmp_path / "model.safetensors")]
    result = CliRunner().invoke(app, ["train", "face-model", *words])
    assert result.exit_code == 3
    assert "sources.tsv" in result.stderr
