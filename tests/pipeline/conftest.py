"""A folder of weights for one test."""

from pathlib import Path

import pytest


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; its subfolder `mine` is the folder of weights, and the motion space chooses the renderer."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")
    return tmp_path
