"""Compositing a crop into its picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facepipe.face.cropping import SquareCrop, sample
from facepipe.rendering.compositing import FADE_RATIO, Paste

HEIGHT, WIDTH = 180, 240
CROPS = [
    SquareCrop(120, 90, 100),
    SquareCrop(120.4, 90.7, 64.3),
    SquareCrop(100, 90, 120, 0.5),
    SquareCrop(10, 20, 90),
    SquareCrop(235, 175, 80),
]


def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 4), np.uint8)


@pytest.mark.parametrize("crop", CROPS)
def test_a_pasted_crop_of_the_picture_is_the_picture(crop: SquareCrop) -> None:
    """An unchanged crop causes no shift, seam, or change of size or brightness."""
    full = picture()
    for size in (96, 256):
        result = Paste(full, crop, size).into_full(sample(full, crop, size))
        assert result.shape == full.shape
        assert np.abs(result.astype(int) - full).max() <= 4
        assert abs((result.astype(int) - full).mean()) < 0.2


@pytest.mark.parametrize("crop", [one for one in CROPS if not one.angle_radians])
def test_only_the_crop_changes(crop: SquareCrop) -> None:
    """A black crop: black in the middle, a smooth transition at the edges, unchanged outside."""
    full, size = np.full((HEIGHT, WIDTH, 3), 200, np.uint8), 128
    result = Paste(full, crop, size).into_full(np.zeros((size, size, 3), np.uint8))[..., 0].astype(int)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inward = crop.side / 2 - np.maximum(np.abs(x - crop.center_x), np.abs(y - crop.center_y))
    assert (result[inward < -1.5] == 200).all()
    assert (result[inward > FADE_RATIO * crop.side + 2] == 0).all()
    steps = max(np.abs(np.diff(result, axis=0)).max(), np.abs(np.diff(result, axis=1)).max())
    # The maximum slope of smoothstep is 1.5 times that of a linear ramp.
    assert steps <= 1.7 * 200 / (FADE_RATIO * crop.side) + 1


def test_pasting_keeps_no_state() -> None:
    """A frame does not affect the next one, nor the full picture."""
    full = picture()
    before, paste = full.copy(), Paste(full, CROPS[0], 64)
    black, white = (np.full((64, 64, 3), value, np.uint8) for value in (0, 255))
    first = paste.into_full(black)
    paste.into_full(white)
    np.testing.assert_array_equal(paste.into_full(black), first)
    np.testing.assert_array_equal(full, before)
