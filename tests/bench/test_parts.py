"""The speed of rendering on its own, from the folders of a finished job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.bench import parts
from facepipe.bench.parts import StageFolders
from facepipe.media.image import write_image
from facepipe.rendering.source import SourceFiles

SIDE = 32


def test_frames_with_alpha_are_composed_before_they_are_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, matte = np.full((SIDE, SIDE, 3), 200, np.uint8), np.zeros((SIDE, SIDE, 3), np.uint8)
    matte[8:24, 8:24] = 255
    for name, pixels in (("crop.png", picture), ("matte.png", matte)):
        write_image(tmp_path / name, pixels)
    opened: list[SourceFiles] = []

    def open_for(_renderer: str, _weights: object, files: SourceFiles, **_options: Any) -> object:
        opened.append(files)

        def render(_motion: object, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
            frame = np.zeros((SIDE, SIDE, 4), np.uint8)
            frame[8:24, 8:24] = (10, 20, 30, 255)
            return (frame for _ in range(first, end))

        return render

    monkeypatch.setattr(parts, "open_for", open_for)
    monkeypatch.setattr(parts, "renderer_weights", lambda _options: {"network": SimpleNamespace(path=tmp_path)})
    monkeypatch.setattr(parts, "is_mixed", lambda _renderer, _weights: True)
    monkeypatch.setattr(parts, "load_coefficients", lambda _path, space: [space] * 3)
    folders = StageFolders(tmp_path, tmp_path, tmp_path, (tmp_path,), None, tmp_path)
    frames = [*parts._rendering(folders, "bilayer")()]
    assert [frame.shape for frame in frames] == [(SIDE, SIDE, 3)] * 3
    assert frames[0][16, 16].tolist() == [10, 20, 30]
    assert frames[0][0, 0].tolist() == [200, 200, 200]
    assert opened[0].matte == tmp_path / "matte.png"
