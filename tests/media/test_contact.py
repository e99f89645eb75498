from pathlib import Path

import numpy as np
import pytest

from facepipe.media.contact import contact_sheet
from facepipe.media.grid import side_by_side


def _plain(width: int, height: int, value: int) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_panels_take_the_height_of_the_result() -> None:
    panels = [_plain(40, 20, 10), _plain(30, 60, 20), _plain(32, 32, 30)]
    grid = side_by_side(panels)
    assert grid.shape == (32, 64 + 16 + 32, 3)
    assert (grid[:, :64] == 10).all()
    assert (grid[:, 80:] == 30).all()
    assert side_by_side(panels, height=10).shape[0] == 10


def test_no_panels() -> None:
    with pytest.raises(ValueError, match="at least one"):
        side_by_side([])


def test_a_sheet_of_frames() -> None:
    sheet = contact_sheet([_plain(20, 10, n) for n in range(5)], columns=3, tile_height=10)
    assert sheet.shape == (2 * 14 + 4, 3 * 24 + 4, 3)
    assert sheet.dtype == np.uint8
    labelled = contact_sheet([_plain(20, 10, 9)] * 2, labels=["one", "two"], tile_height=10)
    assert labelled.shape[0] == 10 + 16 + 8
    assert (labelled[14:] < 100).any()


def test_a_sheet_of_a_video(clip: Path) -> None:
    assert contact_sheet(clip, columns=3, count=6, tile_height=32).shape == (2 * 52 + 4, 3 * 52 + 4, 3)
