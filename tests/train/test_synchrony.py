"""The test of lips and voice, on people with known lip motion."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import librosa
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from facepipe.face.expression_probes import probes_of
from facepipe.face.model import load_face_model
from facepipe.motion.features import BANDS, HIGHEST_HERTZ, LOWEST_HERTZ, Features
from facepipe.train.speakers import Speaker
from facepipe.train.synchrony import VOWEL_BANDS, synchrony_of
from facepipe.weights import find
from tests.motion.test_audio_model import someone

PROBES = probes_of(load_face_model(find("face-model").path))
COUNT = 150


def talker(number: int, *, late: int = 0, lips_of: int | None = None) -> Speaker:
    """A speaker whose lips open with the loudness of vowels, with the sound `late` frames late, or another's lips."""
    loud, others = (loudness(one) for one in (number, number if lips_of is None else lips_of))
    random = np.random.default_rng(100 + number)
    log_mel = random.normal(-8, 0.3, (COUNT, BANDS)) + np.roll(loud, late)[:, None]
    features = Features(log_mel, np.full(COUNT, -20.0), np.ones(COUNT), Fraction(25), level_db=-20.0)
    delta = np.zeros((COUNT, 70))
    delta[:, :64] = 0.05 * (others + random.normal(0, 0.2, COUNT))[:, None] * PROBES.opening
    return Speaker(f"s{number}", f"id{number}", features, replace(someone(COUNT)), delta)


def loudness(number: int) -> np.ndarray:
    return np.asarray(4 * gaussian_filter1d(np.random.default_rng(number).normal(size=COUNT), 2.0))


CROWD = [talker(number) for number in range(8)]


@pytest.mark.parametrize("late", [-4, 0, 5])
def test_matching_lips_are_found_with_their_lag(late: int) -> None:
    found = synchrony_of(talker(3, late=late), CROWD, PROBES)
    assert found.together
    assert found.lag_frames == late


def test_lips_of_another_voice_do_not_match() -> None:
    lags = [synchrony_of(talker(number, lips_of=20 + number), CROWD, PROBES) for number in range(8)]
    assert sum(one.together for one in lags) <= 2


def test_lips_beyond_the_largest_lag_do_not_match() -> None:
    assert not synchrony_of(talker(3, late=40), CROWD, PROBES).together


def test_still_lips_do_not_match() -> None:
    still = talker(3)
    still.delta[:] = 0
    assert not synchrony_of(still, CROWD, PROBES).together


def test_vowel_bands_are_between_250_and_2500_hertz() -> None:
    middles = librosa.mel_frequencies(BANDS + 2, fmin=LOWEST_HERTZ, fmax=HIGHEST_HERTZ)[1:-1]
    inside = (middles > 250) & (middles < 2500)
    np.testing.assert_array_equal(np.flatnonzero(inside), np.arange(BANDS)[VOWEL_BANDS])
