"""Smoothing of motion over time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import savgol_filter

from facepipe.spaces.smoothing import (
    ONE_EURO_BETA,
    ONE_EURO_CUTOFF_HZ,
    ONE_EURO_SPEED_CUTOFF_HZ,
    Smoothing,
    jitter,
    one_euro,
    savitzky_golay,
    smooth,
)

FPS = 25.0
SECONDS = 0.2
NOISE = np.random.default_rng(0).normal(0, 0.05, (200, 4))
METHODS: list[Smoothing] = ["one-euro", "savitzky-golay"]


def slow_one_euro(values: np.ndarray, fps: float) -> list[float]:
    """The filter of Casiez et al. for one signal, written with time constants."""

    def gain(cutoff: float) -> float:
        constant = 1 / (2 * np.pi * cutoff)
        return 1 / (1 + constant * fps)

    out, speed = [float(values[0])], 0.0
    for value in values[1:]:
        a = gain(ONE_EURO_SPEED_CUTOFF_HZ)
        speed = a * (value - out[-1]) * fps + (1 - a) * speed
        b = gain(ONE_EURO_CUTOFF_HZ + ONE_EURO_BETA * abs(speed))
        out.append(b * value + (1 - b) * out[-1])
    return out


def test_jitter_measures_second_differences() -> None:
    """Jitter is 0 for linear motion and short clips, and four times the amplitude of an alternating signal."""
    assert jitter(np.linspace(0, 5, 30)[:, None]) == pytest.approx(0, abs=1e-12)
    assert jitter(np.array([[0.1], [-0.1]] * 8)) == pytest.approx(0.4)
    assert jitter(np.ones((2, 3))) == 0


def test_one_euro_equals_the_published_filter() -> None:
    """Filtering all columns together equals the paper's recurrence on each column."""
    rows = np.cumsum(NOISE, axis=0)
    found = one_euro(rows, FPS)
    for column in range(4):
        np.testing.assert_allclose(found[:, column], slow_one_euro(rows[:, column], FPS))


@pytest.mark.parametrize("method", METHODS)
def test_noise_is_reduced(method: Smoothing) -> None:
    """The jitter of a still face with noise falls by more than half."""
    assert jitter(smooth(NOISE, method, FPS, SECONDS)) < 0.5 * jitter(NOISE)


@pytest.mark.parametrize("method", METHODS)
def test_ramps_and_constants_are_preserved(method: Smoothing) -> None:
    """A linear ramp lags by at most two frames and keeps its speed; a constant is unchanged."""
    ramp = np.linspace(0, 8, 100)[:, None]
    found = smooth(ramp, method, FPS, SECONDS)
    assert np.abs(found - ramp)[20:].max() < 2 * 8 / 99
    np.testing.assert_allclose(np.diff(found[30:], axis=0), 8 / 99, rtol=0.05)
    np.testing.assert_allclose(smooth(np.full((30, 2), 3.0), method, FPS, SECONDS), 3)


@pytest.mark.parametrize("window", [3, 5, 7, 13])
@pytest.mark.parametrize("count", [13, 60])
def test_savitzky_golay_equals_scipy(window: int, count: int) -> None:
    """Including both ends of the clip."""
    rows = np.cumsum(NOISE[:count], axis=0)
    np.testing.assert_allclose(savitzky_golay(rows, window), savgol_filter(rows, window, 2, axis=0), atol=1e-12)


@pytest.mark.parametrize(("fps", "frames"), [(12.5, 3), (25, 5), (30, 5), (50, 9), (60, 13)])
def test_the_window_has_the_same_duration_at_every_frame_rate(fps: float, frames: int) -> None:
    """The window is the odd number of frames nearest to the given seconds."""
    np.testing.assert_array_equal(smooth(NOISE, "savitzky-golay", fps, 0.2), savitzky_golay(NOISE, frames))


def test_slow_motion_is_smoothed_more_than_fast_motion() -> None:
    """The cut-off rises with speed: the lag behind a fast ramp, in frames, is shorter."""
    lags = [
        (ramp - one_euro(ramp, FPS))[-1, 0] / (ramp[1] - ramp[0])[0]
        for ramp in (speed * np.arange(100.0)[:, None] / FPS for speed in (0.1, 10))
    ]
    assert lags[1] < 0.5 * lags[0]


@pytest.mark.parametrize("method", ["none", *METHODS])
@pytest.mark.parametrize("count", [0, 1, 2, 6, 7])
def test_short_clips_keep_their_length(method: Smoothing, count: int) -> None:
    """Clips of any length are accepted; the method none returns them unchanged."""
    rows = NOISE[:count]
    found = smooth(rows, method, FPS, SECONDS)
    assert found.shape == rows.shape
    if method == "none":
        np.testing.assert_array_equal(found, rows)
