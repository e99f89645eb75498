"""Frames in which nothing is seen: the motion passes evenly from face to face, or holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.spaces.gaps import filled, origins, spans
from facepipe.spaces.remarks import held_remarks
from facepipe.spaces.smoothing import Smoothing, smoothed
from tests.field.motions import moving, without_face

METHODS: list[Smoothing] = ["none", "one-euro", "savitzky-golay"]


@pytest.mark.parametrize("method", METHODS)
def test_a_head_that_returns_elsewhere_passes_evenly(method: Smoothing) -> None:
    """It leaves at one edge and comes back at the other: no frame of the gap jumps, least of all the middle one."""
    x = np.where(np.arange(75) < 8, -0.2, 0.9)
    found = smoothed(without_face(moving(x), (8, 68)), method).translation[:, 0]
    np.testing.assert_allclose(np.diff(found)[7:68], 1.1 / 61, atol=1e-9)
    np.testing.assert_allclose(found[[0, 7, 68, 74]], x[[0, 7, 68, 74]], atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_the_ends_hold_the_nearest_face(method: Smoothing) -> None:
    found = smoothed(without_face(moving(np.linspace(0, 1, 40)), (0, 6), (30, 40)), method).translation[:, 0]
    assert (found[:6] == found[6]).all()
    assert (found[30:] == found[29]).all()


def test_a_gap_does_not_change_the_frames_around_it() -> None:
    """Frames beside a long gap are smoothed as those at the end of a clip."""
    x = np.cumsum(np.random.default_rng(0).normal(0, 0.05, 60))
    found = smoothed(without_face(moving(x), (20, 40)), "savitzky-golay").translation[:, 0]
    alone = smoothed(moving(x[:20]), "savitzky-golay").translation[:, 0]
    np.testing.assert_array_equal(found[:20], alone)


def test_a_gap_is_not_filled_across_a_cut() -> None:
    """Before the cut the last face is held, after it the first one of the new shot; a shot without a face holds on."""
    shot = np.repeat([0, 1, 2], [10, 10, 10]).astype(np.int32)
    coefficients = replace(moving(np.repeat([0.0, 0.3, 0.6], 10)), shot=shot)
    found = filled(without_face(coefficients, (5, 15))).translation[:, 0]
    np.testing.assert_array_equal(found, np.repeat([0.0, 0.3, 0.6], 10))
    found = filled(without_face(coefficients, (5, 23))).translation[:, 0]
    np.testing.assert_array_equal(found, np.repeat([0.0, 0.6], [20, 10]))


def test_runs_of_frames_that_continue_each_other() -> None:
    valid = np.array([0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1], bool)
    shot = np.repeat([0, 1, 2], [6, 2, 4]).astype(np.int32)
    assert origins(valid, shot).tolist() == [1, 1, 2, 2, 2, 5, 5, 5, 9, 9, 9, 11]
    assert spans(valid, shot, 1) == [slice(1, 3), slice(5, 6), slice(9, 12)]


def test_held_frames_are_said() -> None:
    coefficients = without_face(moving(np.zeros(75)), (8, 68))
    (remark,) = held_remarks(coefficients.valid, coefficients.fps, "hold")
    assert remark.code == "held"
    assert "in 60 frames without a face, from 0.32 s on" in remark.text
    assert not held_remarks(np.ones(3, bool), coefficients.fps, "hold")
