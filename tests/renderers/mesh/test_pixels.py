"""The compiled passes against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.renderers.mesh import pixels

H, W = 12, 17


def test_places_are_taken_out() -> None:
    values = np.random.default_rng(0).normal(size=(H, W, 8)).astype(np.float32)
    own, mirror = np.empty((2, H, W, 2), np.float32)
    pixels.take_places(values, own, mirror)
    np.testing.assert_array_equal(own, values[..., :2])
    np.testing.assert_array_equal(mirror, values[..., 5:7])


def test_beside_the_face_the_shift_counts_and_what_lies_behind_is_hidden() -> None:
    random = np.random.default_rng(1)
    position = random.uniform(-5, 25, (H, W, 2)).astype(np.float32)
    shift, values = random.normal(0, 3, (H, W, 2)).astype(np.float32), random.normal(size=(H, W, 8)).astype(np.float32)
    triangle, depth = random.integers(-1, 9, (H, W)).astype(np.int32), random.normal(size=(H, W)).astype(np.float32)
    grid = np.stack(np.meshgrid(np.arange(W), np.arange(H)), axis=-1)
    expected = np.where((triangle >= 5)[..., None], shift + grid, position)
    column = np.clip(np.rint(expected[..., 0]).astype(int), 0, W - 1)
    row = np.clip(np.rint(expected[..., 1]).astype(int), 0, H - 1)
    visible = np.empty((H, W), bool)
    pixels.settle(position, shift, triangle, 5, values, depth, 0.25, visible)
    np.testing.assert_allclose(position, expected, atol=1e-5)
    np.testing.assert_array_equal(visible, values[..., 2] <= depth[row, column] + 0.25)


@pytest.mark.parametrize("shared", [0, 1, 40])
def test_shares_are_mixed_where_they_are(shared: int) -> None:
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
