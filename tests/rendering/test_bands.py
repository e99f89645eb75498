"""Bands of rows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facepipe.rendering.bands import MIN_ROWS, Bands, band_count, clear_outside, rows_of


def test_bands_depend_on_the_height_alone() -> None:
    assert [band_count(rows) for rows in (8, MIN_ROWS, 2 * MIN_ROWS, 33, 64, 66, 256)] == [1, 1, 2, 1, 4, 2, 4]


def test_bands_are_joined_in_order() -> None:
    picture = torch.randn(1, 3, 64, 5)
    made = Bands(3).compute(64, lambda first, end: rows_of(picture, first, end) * 2)
    assert torch.equal(made, picture * 2)
    assert made.requires_grad is False


def test_an_error_in_a_band_is_raised() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        Bands(2).compute(64, lambda first, _end: torch.zeros(first).reshape(-1, 1000))


@pytest.mark.parametrize(("first", "end"), [(-2, 4), (2, 6), (3, 9), (-1, 10)])
def test_rows_outside_the_picture_are_zero(first: int, end: int) -> None:
    picture = torch.rand(1, 2, 8, 3) + 1
    expected = F.pad(picture, (0, 0, 5, 5))[:, :, first + 5 : end + 5]
    assert torch.equal(rows_of(picture, first, end), expected)
    band = torch.ones_like(expected)
    assert torch.equal(clear_outside(band, first, 8), (expected != 0).float())
