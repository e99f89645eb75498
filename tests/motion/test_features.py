"""Audio features: timing, silence, loudness, voicing, blocks and files."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.motion.features import BANDS, FLOOR, SAMPLE_HERTZ, features_of, frames_of, load_features, save_features

RATES = [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(12), Fraction(60)]


def clicks(times: NDArray[np.floating], seconds: float = 4.0) -> NDArray[np.float32]:
    sound = np.zeros(round(seconds * SAMPLE_HERTZ), np.float32)
    for time in times:
        sound[round(time * SAMPLE_HERTZ)] = 0.9
    return sound


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_a_click_appears_in_the_column_of_its_time(fps: Fraction) -> None:
    times = np.random.default_rng(1).permutation(8) * 0.45 + 0.2
    features = features_of([clicks(times)], fps)
    middles = (np.arange(len(features)) + 0.5) / float(fps)
    for time in times:
        near = np.flatnonzero(abs(middles - time) < 0.2)
        column = near[np.argmax(features.energy[near])]
        assert abs(middles[column] - time) <= 0.5 / float(fps) + 1 / SAMPLE_HERTZ


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_features_in_blocks_equal_the_whole(fps: Fraction) -> None:
    sound = np.random.default_rng(2).normal(0, 0.1, 50_123).astype(np.float32)
    whole = features_of([sound], fps)
    for size in (317, 4096, 50_000):
        parts = features_of([sound[at : at + size] for at in range(0, len(sound), size)], fps)
        np.testing.assert_array_equal(parts.log_mel, whole.log_mel)
        np.testing.assert_array_equal(parts.voicing, whole.voicing)
    assert len(whole) == frames_of(len(sound) / SAMPLE_HERTZ, fps)


def test_silence_gives_the_floor_and_finite_values() -> None:
    features = features_of([np.zeros(SAMPLE_HERTZ, np.float32)], Fraction(25), mfcc=True)
    assert features.silent
    assert features.log_mel.shape == (25, BANDS)
    assert np.all(features.log_mel == np.float32(np.log(FLOOR)))
    assert np.isfinite(features.energy).all()
    assert features.mfcc is not None
    assert np.isfinite(features.mfcc).all()
    assert np.all(features.voicing == 0)


@pytest.mark.parametrize("gain", [0.1, 0.3, 3.0])
def test_features_are_independent_of_loudness(gain: float) -> None:
    speech = np.random.default_rng(3).normal(0, 0.05, 3 * SAMPLE_HERTZ) * np.repeat([1, 0.0, 1], SAMPLE_HERTZ)
    plain, other = (features_of([(speech * factor).astype(np.float32)], Fraction(25)) for factor in (1, gain))
    np.testing.assert_allclose(other.log_mel, plain.log_mel, atol=1e-3)


def test_voicing_separates_a_voice_from_noise() -> None:
    time = np.arange(SAMPLE_HERTZ) / SAMPLE_HERTZ
    voice = np.sum([np.sin(2 * np.pi * 130 * number * time) / number for number in range(1, 20)], axis=0)
    noise = np.random.default_rng(4).normal(0, 0.3, SAMPLE_HERTZ)
    voiced, unvoiced = (features_of([one.astype(np.float32)], Fraction(25)).voicing[2:-2] for one in (voice, noise))
    assert voiced.min() > 0.9
    assert unvoiced.max() < 0.5


def test_a_tone_appears_in_its_band() -> None:
    time = np.arange(SAMPLE_HERTZ) / SAMPLE_HERTZ
    low, high = (
        features_of([np.sin(2 * np.pi * hertz * time).astype(np.float32)], Fraction(25)).log_mel[10].argmax()
        for hertz in (300, 3000)
    )
    assert low < BANDS / 3 < high


@pytest.mark.parametrize("count", [1, 100, 1600])
def test_very_short_sounds_have_at_least_one_frame(count: int) -> None:
    assert len(features_of([np.ones(count, np.float32)], Fraction(25))) == max(1, -(-count // 640))


def test_files_round_trip(tmp_path: Path) -> None:
    sound = np.random.default_rng(5).normal(0, 0.1, 9000).astype(np.float32)
    features = features_of([sound], Fraction(30000, 1001), mfcc=True)
    save_features(features, tmp_path / "a.npz")
    again = load_features(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.log_mel, features.log_mel)
    assert again.mfcc is not None
    assert features.mfcc is not None
    np.testing.assert_array_equal(again.mfcc, features.mfcc)
    assert (again.fps, again.level_db) == (features.fps, features.level_db)
