"""Pixel operations; the compiled ones against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.renderers.mesh import pixels

H, W = 12, 17


def test_positions_are_split() -> None:
    values = np.random.default_rng(0).normal(size=(H, W, 8)).astype(np.float32)
    own, mirror = np.empty((2, H, W, 2), np.float32)
    pixels.split_positions(values, own, mirror)
    np.testing.assert_array_equal(own, values[..., :2])
    np.testing.assert_array_equal(mirror, values[..., 5:7])


def test_positions_outside_of_the_face_are_shifted_and_points_behind_are_hidden() -> None:
    random = np.random.default_rng(1)
    position = random.uniform(-5, 25, (H, W, 2)).astype(np.float32)
    shift, values = random.normal(0, 3, (H, W, 2)).astype(np.float32), random.normal(size=(H, W, 8)).astype(np.float32)
    triangle, depth = random.integers(-1, 9, (H, W)).astype(np.int32), random.normal(size=(H, W)).astype(np.float32)
    grid = np.stack(np.meshgrid(np.arange(W), np.arange(H)), axis=-1)
    expected = np.where((triangle >= 5)[..., None], shift + grid, position)
    column = np.clip(np.rint(expected[..., 0]).astype(int), 0, W - 1)
    row = np.clip(np.rint(expected[..., 1]).astype(int), 0, H - 1)
    visible = np.empty((H, W), bool)
    pixels.finish_positions(position, shift, triangle, 5, values, depth, 0.25, visible)
    np.testing.assert_allclose(position, expected, atol=1e-5)
    np.testing.assert_array_equal(visible, values[..., 2] <= depth[row, column] + 0.25)


@pytest.mark.parametrize("shared", [0, 1, 40])
def test_pixels_with_a_share_below_one_are_mixed(shared: int) -> None:
    random = np.random.default_rng(shared)
    image, other = random.integers(0, 256, (2, H, W, 3)).astype(np.uint8)
    share = np.ones((H, W), np.float32)
    share[random.integers(2, H - 1, shared), random.integers(3, W - 2, shared)] = random.random(shared)
    expected = np.rint(image * share[..., None].astype(float) + other * (1 - share[..., None].astype(float)))
    top, bottom, left, right = pixels.extent(share)
    assert (top < bottom) == (shared > 0)
    if shared:
        rows, columns = np.nonzero(share < 1)
        assert (top, bottom, left, right) == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
        pixels.mix(image, np.ascontiguousarray(other[top:bottom, left:right]), share, top, left)
    assert np.abs(image - expected).max() <= 1


@pytest.mark.parametrize("corner", [(0, 0), (20, 15), (35, 30)])
def test_blending_has_a_soft_edge_and_stays_local(corner: tuple[int, int]) -> None:
    """The centre takes the colour; pixels a few off are unchanged, also at the picture's corners."""
    image, mask = np.full((40, 36, 3), 100, np.uint8), np.zeros((40, 36), bool)
    mask[corner[0] : corner[0] + 9, corner[1] : corner[1] + 9] = True
    colour = np.tile(np.array([200, 20, 20], np.float32), (int(mask.sum()), 1))
    pixels.blend(image, mask, colour, 1.0)
    inner = np.argwhere(mask).mean(0).round().astype(int)
    np.testing.assert_allclose(image[inner[0], inner[1]], [200, 20, 20], atol=2)
    rows, columns = np.nonzero(mask)
    image[max(0, rows.min() - 3) : rows.max() + 4, max(0, columns.min() - 3) : columns.max() + 4] = 100
    assert (image == 100).all()
