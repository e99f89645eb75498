"""Smoothing over time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import savgol_filter

from facepipe.spaces.smoothing import (
    ONE_EURO_CUTOFF_HZ,
    ONE_EURO_SPEED_CUTOFF_HZ,
    ONE_EURO_SPEED_SHARE,
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
    """The filter of Casiez et al. for one signal, with its time constants."""

    def share(cutoff: float) -> float:
        constant = 1 / (2 * np.pi * cutoff)
        return 1 / (1 + constant * fps)

    out, speed = [float(values[0])], 0.0
    for value in values[1:]:
        a = share(ONE_EURO_SPEED_CUTOFF_HZ)
        speed = a * (value - out[-1]) * fps + (1 - a) * speed
        b = share(ONE_EURO_CUTOFF_HZ + ONE_EURO_SPEED_SHARE * abs(speed))
        out.append(b * value + (1 - b) * out[-1])
    return out


def test_jitter_is_the_size_of_second_differences() -> None:
    """Straight motion has none, an alternating one four times its amplitude, and short clips none."""
    assert jitter(np.linspace(0, 5, 30)[:, None]) == pytest.approx(0, abs=1e-12)
    assert jitter(np.array([[0.1], [-0.1]] * 8)) == pytest.approx(0.4)
    assert jitter(np.ones((2, 3))) == 0


def test_one_euro_is_the_published_filter() -> None:
    """All signals at once give what the paper's recurrence gives for each."""
    rows = np.cumsum(NOISE, axis=0)
    found = one_euro(rows, FPS)
    for column in range(4):
        np.testing.assert_allclose(found[:, column], slow_one_euro(rows[:, column], FPS))


@pytest.mark.parametrize("method", METHODS)
def test_noise_is_reduced(method: Smoothing) -> None:
    """The jitter of a still face with noise falls to less than a half."""
    assert jitter(smooth(NOISE, method, FPS, SECONDS)) < 0.5 * jitter(NOISE)


@pytest.mark.parametrize("method", METHODS)
def test_motion_is_followed(method: Smoothing) -> None:
    """A steady ramp is followed within two frames' lag and keeps its speed; a constant stays what it is."""
    ramp = np.linspace(0, 8, 100)[:, None]
    found = smooth(ramp, method, FPS, SECONDS)
    assert np.abs(found - ramp)[20:].max() < 2 * 8 / 99
    np.testing.assert_allclose(np.diff(found[30:], axis=0), 8 / 99, rtol=0.05)
    np.testing.assert_allclose(smooth(np.full((30, 2), 3.0), method, FPS, SECONDS), 3)


@pytest.mark.parametrize("window", [3, 5, 7, 13])
@pytest.mark.parametrize("count", [13, 60])
def test_local_parabolas_are_those_of_scipy(window: int, count: int) -> None:
    """Ends included."""
    rows = np.cumsum(NOISE[:count], axis=0)
    np.testing.assert_allclose(savitzky_golay(rows, window), savgol_filter(rows, window, 2, axis=0), atol=1e-12)


@pytest.mark.parametrize(("fps", "frames"), [(12.5, 3), (25, 5), (30, 5), (50, 9), (60, 13)])
def test_a_window_is_as_long_at_every_frame_rate(fps: float, frames: int) -> None:
    """An odd number of frames, the nearest to the seconds asked for."""
    np.testing.assert_array_equal(smooth(NOISE, "savitzky-golay", fps, 0.2), savitzky_golay(NOISE, frames))


def test_slow_is_smoothed_more_than_fast() -> None:
    """The cut-off rises with speed: the lag behind a fast ramp, in frames, is shorter."""
    lags = [
        (ramp - one_euro(ramp, FPS))[-1, 0] / (ramp[1] - ramp[0])[0]
        for ramp in (speed * np.arange(100.0)[:, None] / FPS for speed in (0.1, 10))
    ]
    assert lags[1] < 0.5 * lags[0]


@pytest.mark.parametrize("method", ["none", *METHODS])
@pytest.mark.parametrize("count", [0, 1, 2, 6, 7])
def test_short_clips_keep_their_length(method: Smoothing, count: int) -> None:
    """No clip is too short, and nothing is done without a method."""
    rows = NOISE[:count]
    found = smooth(rows, method, FPS, SECONDS)
    assert found.shape == rows.shape
    if method == "none":
        np.testing.assert_array_equal(found, rows)
