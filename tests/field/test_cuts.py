"""Cuts: found in the pictures, and nothing of one shot reaches into the other."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from facepipe.face.shots import ShotCounter
from facepipe.spaces.bfm.descriptor import windows
from facepipe.spaces.remarks import cut_remarks
from facepipe.spaces.retargeting import Retargeting
from facepipe.spaces.smoothing import Smoothing, smoothed
from tests.face.faces import face_model
from tests.field.motions import moving, portrait

WIDE = np.ascontiguousarray(data.astronaut())  # type: ignore[no-untyped-call]
CLOSE = np.ascontiguousarray(WIDE[20:220, 120:320])
OTHER = np.ascontiguousarray(data.coffee()[:, 40:440])  # type: ignore[no-untyped-call]


def panned(start: int, count: int, step: int = 2) -> list[np.ndarray]:
    """Return frames of a camera that moves slowly over the wide picture."""
    return [WIDE[:300, start + step * index : start + step * index + 300] for index in range(count)]


def shots(frames: list[np.ndarray]) -> list[int]:
    counter = ShotCounter()
    for frame in frames:
        counter.see(np.ascontiguousarray(frame))
    return [int(number) for number in counter.shots()]


def test_cuts_to_another_place_and_to_a_close_up_are_found() -> None:
    frames = panned(0, 8) + [CLOSE] * 6 + [OTHER] * 5 + panned(60, 4)
    assert shots(frames) == [0] * 8 + [1] * 6 + [2] * 5 + [3] * 4


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_and_a_change_of_light_are_no_cuts(length: int) -> None:
    still = panned(0, 1) * 8
    dark = [(frame * 0.4).astype(np.uint8) for frame in still]
    white = [np.full_like(still[0], 250)] * length
    assert set(shots(still + white + still + dark)) == {0}


def test_a_fast_camera_and_small_movements_are_no_cuts() -> None:
    blurred = [cv2.GaussianBlur(frame, (0, 0), 6) for frame in panned(0, 10, step=21)]
    assert set(shots(panned(0, 8) + blurred[1:] + panned(189, 8))) == {0}


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_short_clips(count: int) -> None:
    assert shots([WIDE] * count) == [0] * count
    assert shots([WIDE, OTHER][:count])[-1:] == [min(count, 2) - 1][: min(count, 1)]


@pytest.mark.parametrize("method", ["one-euro", "savitzky-golay"])
def test_nothing_is_smoothed_across_a_cut(method: Smoothing) -> None:
    """The size of the head changes at the cut, not three frames before it."""
    shot = np.repeat([0, 1], [20, 20]).astype(np.int32)
    raw = replace(moving(np.zeros(40), np.repeat([-1.4, -0.4], 20)), shot=shot)
    np.testing.assert_allclose(smoothed(raw, method).translation, raw.translation, atol=1e-12)


def test_each_shot_has_its_own_reference() -> None:
    """A close-up does not enlarge the portrait, and a person on the other side does not move it aside."""
    shot = np.repeat([0, 1], [20, 20]).astype(np.int32)
    driving = replace(moving(np.repeat([-0.3, 0.4], 20), np.repeat([-1.4, -0.4], 20)), shot=shot)
    source = portrait()
    for reference in ("best", "first", "30"):
        found = source.space.retarget(source, driving, Retargeting(reference=reference), face_model())
        np.testing.assert_allclose(found.translation, np.repeat(source.translation, 40, 0), atol=1e-12)
        assert (found.shot == shot).all()


def test_the_windows_of_a_network_end_at_a_cut() -> None:
    """A window of 27 frames repeats the first and the last row of its shot."""
    rows = np.repeat([0.0, 1.0], 20)[:, None] * np.ones(73)
    shot = np.repeat([0, 1], [20, 20])
    found = windows(rows, 0, None, shot)
    assert all(np.ptp(window) == 0 for window in found)
    np.testing.assert_array_equal(windows(rows, 15, 25, shot), found[15:25])


def test_cuts_are_said() -> None:
    (remark,) = cut_remarks(np.repeat([0, 1, 2], [25, 5, 5]).astype(np.int32), moving(np.zeros(1)).fps)
    assert (remark.code, remark.text[:26]) == ("cuts", "2 cuts, at 1.00, 1.20 s; e")
