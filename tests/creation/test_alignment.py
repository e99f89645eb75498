"""Alignment of targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.creation.alignment import STILL, aligned, derivatives
from facepipe.creation.score import difference
from facepipe.creation.target import Floats, Target, Trust


@pytest.fixture
def target() -> Target:
    y, x = np.mgrid[:256, :256] / 10
    picture = np.stack([120 + 60 * np.sin(x), 120 + 60 * np.cos(y + x), 120 + 60 * np.sin(2 * y)], axis=-1)
    plane = np.ones((256, 256), np.float32)
    return Target(picture.astype(np.uint8), Trust(pixels=1), plane, plane, {"hair": (x > 12).astype(np.float32)})


def middle(plane: Floats, by: int = 30) -> Floats:
    return plane[by:-by, by:-by]


def test_nothing_changes_at_rest(target: Target) -> None:
    assert aligned(target, STILL) is target


def test_whole_pixels_move_all_planes(target: Target) -> None:
    moved = aligned(target, np.array([3.0, -2.0, 0.0, 0.0]))
    np.testing.assert_array_equal(moved.picture[:-2, 3:], target.picture[2:, :-3])
    np.testing.assert_array_equal(moved.parts["hair"][:-2, 3:], target.parts["hair"][2:, :-3])
    assert moved.inside[:, :3].max() == moved.inside[-2:].max() == 0
    assert moved.inside[:-2, 3:].min() == 1


def test_growth_moves_edges_outwards_and_keeps_the_middle(target: Target) -> None:
    spots = target.picture.copy()
    spots[:] = 0
    spots[127:129, 127:129] = spots[127:129, 64:66] = 255
    moved = aligned(replace(target, picture=spots), np.array([0, 0, 12.8, 0])).picture[..., 0].astype(float)
    columns = np.arange(256)
    for place, wanted in ((127.5, 127.5), (64.5, 127.5 - 63 * np.exp(0.1))):
        near = abs(columns - place) < 20
        assert (moved[:, near].sum(axis=0) * columns[near]).sum() / moved[:, near].sum() == pytest.approx(
            wanted, abs=0.1
        )


def test_a_turn_moves_edges_clockwise(target: Target) -> None:
    spots = np.zeros_like(target.picture)
    spots[127:129, 220:222] = 255  # on the right of the middle
    moved = aligned(replace(target, picture=spots), np.array([0, 0, 0, 12.8])).picture[..., 0].astype(float)
    y, x = (np.average(axis, weights=moved) for axis in np.mgrid[:256, :256])
    assert (x, y) == pytest.approx((127.5 + 93 * np.cos(0.1), 127.5 + 93 * np.sin(0.1)), abs=0.2)


def test_derivatives_are_those_of_the_difference(target: Target) -> None:
    known = derivatives(target)
    for axis in range(len(STILL)):
        alignment = STILL.copy()
        alignment[axis] = 2.0
        change = difference(target.picture, aligned(target, alignment).picture, target.inside) / np.float32(2)
        assert abs(np.subtract(middle(known[axis]), middle(change))).mean() < 0.2 * abs(middle(change)).mean()
