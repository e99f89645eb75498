"""Fixtures of the engine's tests: a text file and a workspace."""

from pathlib import Path

import pytest

from facepipe.engine import Workspace


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("hello\n")
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")
