"""Folders and portraits of the tests of evaluations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepipe.media.image import read_image, write_image
from tests.pipeline.scene import Scene, ffmpeg


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, with the user's weights and the work files."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("FACEPIPE_WORK_FOLDER", str(tmp_path / "work"))
    return tmp_path


@pytest.fixture(scope="session")
def short(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 8 frames of the driver, for tests in whose work folders it is tracked again."""
    path = tmp_path_factory.mktemp("short") / "driver.mp4"
    ffmpeg("-i", scene.driver, "-frames:v", "8", path)
    return path


@pytest.fixture
def mirrored(scene: Scene, mine: Path) -> Path:
    """A portrait of another person than the driver's."""
    write_image(mine / "other.png", np.ascontiguousarray(read_image(scene.portrait)[:, ::-1]))
    return mine / "other.png"
