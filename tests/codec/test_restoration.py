"""Interpolation and smoothing of tokens in a decoder."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.codec import restored
from facepipe.codec.restoration import LOOK_AHEAD_FRAMES
from facepipe.spaces.smoothing import savitzky_golay

ROWS = np.random.default_rng(3).normal(size=(40, 3))


def result(known: list[bool], rows: np.ndarray = ROWS, *, smooth: bool = True, first: int = 100) -> np.ndarray:
    frames = ((first + i, rows[i] if there else None) for i, there in enumerate(known))
    numbers, tokens = zip(*restored(frames, rows.shape[1], smooth=smooth), strict=True)
    assert list(numbers) == list(range(first, first + len(known)))
    return np.stack(tokens)


def test_whole_stretches_are_smoothed_as_by_a_parabola() -> None:
    expected = savitzky_golay(ROWS, 5)
    expected[[0, 1, -2, -1]] = ROWS[[0, 1, -2, -1]]
    np.testing.assert_allclose(result([True] * 40), expected, atol=1e-12)
    np.testing.assert_array_equal(result([True] * 40, smooth=False), ROWS)


def test_frames_beside_a_gap_are_left_as_they_are() -> None:
    known = [True] * 40
    known[20] = False
    made = result(known)
    np.testing.assert_array_equal(made[[18, 19, 21, 22]], ROWS[[18, 19, 21, 22]])
    assert not np.array_equal(made[17], ROWS[17])


@pytest.mark.parametrize("every", [2, 3, 4])
def test_skipped_frames_of_a_parabola_are_exact(every: int) -> None:
    times = np.arange(4 * every + 1.0)[:, None]
    rows = np.concatenate([times**2 / 9 - times, 3 - times], axis=1)
    made = result([i % every == 0 for i in range(len(rows))], rows)
    # Slopes at the first and last packet are one-sided.
    np.testing.assert_allclose(made[every:-every], rows[every:-every], atol=1e-12)
    np.testing.assert_allclose(made[:, 1], rows[:, 1], atol=1e-12)


def test_the_ends_are_held() -> None:
    made = result([False, False, True, False, True] + [False] * 35)
    assert not made[0].any(), "the key frame does not differ from itself"
    np.testing.assert_array_equal(made[5:], np.repeat(ROWS[[4]], 35, 0))
    assert not result([False] * 3).any()


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 40))
def test_a_result_never_waits_longer_than_it_says(known: list[bool], cut: int) -> None:
    """Results of a stream that is cut off agree with those of the whole, but for the frames that wait."""
    whole, part = result(known), result(known[:cut])
    for frame in range(min(cut, len(known))):
        rest = known[frame + 1 : cut]
        is_known = known[frame] or frame == 0
        if len(rest) >= (2 if is_known else LOOK_AHEAD_FRAMES) or sum(rest) >= 2:
            np.testing.assert_array_equal(part[frame], whole[frame])


def test_results_come_out_while_frames_arrive() -> None:
    taken = []

    def frames() -> Iterator[tuple[int, np.ndarray | None]]:
        for frame in range(40):
            taken.append(frame)
            yield frame, ROWS[frame] if frame % 2 == 0 else None

    for frame, _ in restored(frames(), 3):
        assert len(taken) <= min(frame + 4, 40) + 1


def test_a_long_gap_is_held_and_needs_little_memory() -> None:
    known = [True] * 3 + [False] * 3000 + [True] * 3
    made = result(known, np.resize(ROWS, (len(known), 3)))
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(made[100:2900], np.repeat(made[[100]], 2800, 0))
