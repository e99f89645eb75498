"""Whether lips and voice belong together: told for people whose lips do what is known."""

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
    """Someone whose lips open with the vowels' loudness, the sound `late` frames behind, or with another's."""
    loud, others = (loudness(one) for one in (number, number if lips_of is None else lips_of))
    dice = np.random.default_rng(100 + number)
    log_mel = dice.normal(-8, 0.3, (COUNT, BANDS)) + np.roll(loud, late)[:, None]
    features = Features(log_mel, np.full(COUNT, -20.0), np.ones(COUNT), Fraction(25), level_db=-20.0)
    delta = np.zeros((COUNT, 70))
    delta[:, :64] = 0.05 * (others + dice.normal(0, 0.2, COUNT))[:, None] * PROBES.opening
    return Speaker(f"s{number}", f"id{number}", features, replace(someone(COUNT)), delta)


def loudness(number: int) -> np.ndarray:
    return np.asarray(4 * gaussian_filter1d(np.random.default_rng(number).normal(size=COUNT), 2.0))


CROWD = [talker(number) for number in range(8)]


@pytest.mark.parametrize("late", [-4, 0, 5])
def test_lips_that_follow_are_found_with_their_lag(late: int) -> None:
    found = synchrony_of(talker(3, late=late), CROWD, PROBES)
    assert found.together
    assert found.lag_frames == late


def test_lips_that_follow_another_voice_do_not_belong() -> None:
    lags = [synchrony_of(talker(number, lips_of=20 + number), CROWD, PROBES) for number in range(8)]
    assert sum(one.together for one in lags) <= 2


def test_lips_that_follow_beyond_the_largest_lag_do_not_belong() -> None:
    assert not synchrony_of(talker(3, late=40), CROWD, PROBES).together


def test_lips_that_stand_still_do_not_belong() -> None:
    still = talker(3)
    still.delta[:] = 0
    assert not synchrony_of(still, CROWD, PROBES).together


def test_the_bands_of_vowels_lie_where_they_are_said_to() -> None:
    middles = librosa.mel_frequencies(BANDS + 2, fmin=LOWEST_HERTZ, fmax=HIGHEST_HERTZ)[1:-1]
    inside = (middles > 250) & (middles < 2500)
    np.testing.assert_array_equal(np.flatnonzero(inside), np.arange(BANDS)[VOWEL_BANDS])
