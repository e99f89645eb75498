"""The training of the audio model: its parts, and a tiny complete run."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
import torch

from facepipe.face.expression_probes import probes_of
from facepipe.face.model import load_face_model
from facepipe.motion.audio_model import AudioToMotionConfig, SoundEncoder
from facepipe.motion.features import features_of
from facepipe.motion.neutral_delta import neutral_delta_of
from facepipe.train.audio import Material, fit_prediction, initial_speech, set_emphasis, synchronised
from facepipe.train.directions import choose_directions, mirror_of
from facepipe.train.encoders import folds_of, held_out_means
from facepipe.train.flow import FlowRecipe, noam, train_flow
from facepipe.train.speakers import Speaker
from facepipe.train.synchrony import Synchrony
from facepipe.weights import find
from tests.media.sounds import voice
from tests.motion.test_audio_model import someone

MODEL = load_face_model(find("face-model").path)
PROBES = probes_of(MODEL)
TINY = AudioToMotionConfig(
    directions=6, encoders=2, encoder_width=8, memory=2, lookahead=1, controls=3, hidden=4, steps=2
)


def speakers(count: int = 4) -> list[Speaker]:
    made = []
    for number in range(count):
        clip = someone(75)
        clip = replace(clip, expression=np.random.default_rng(number).normal(0, 0.2, (75, 64)).cumsum(0) / 5)
        features = features_of([voice(3.0, seed=number)], Fraction(25))
        made.append(Speaker(f"s{number}", f"id{number}", features, clip, neutral_delta_of(clip, PROBES)))
    return made


def test_the_rate_rises_and_falls_to_its_floor() -> None:
    recipe = FlowRecipe()
    rates = [noam(step, recipe) for step in (0, 100, recipe.warm_up - 1, 4 * recipe.warm_up, 10**7)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] > rates[3] > rates[4] == recipe.min_rate


def test_a_mirror_is_its_own_inverse_and_keeps_the_mouth_open() -> None:
    mirror = mirror_of(MODEL)
    np.testing.assert_allclose(mirror @ mirror, np.eye(64), atol=0.05)
    np.testing.assert_allclose(mirror @ PROBES.mouth, PROBES.mouth, atol=0.05 * np.abs(PROBES.mouth).max())


def test_directions_decode_what_they_encode() -> None:
    encode, decode, signs = choose_directions(speakers(), MODEL, 6)
    np.testing.assert_allclose(decode @ encode, np.eye(6), atol=1e-6)
    assert set(signs.tolist()) <= {-1.0, 1.0}


def test_folds_separate_identities() -> None:
    folds = folds_of(["a", "b", "a", "c", "d"], 2)
    assert folds[0] == folds[2]
    assert set(folds) == {0, 1}


def test_clips_out_of_sync_are_dropped_and_late_sound_is_shifted() -> None:
    clips = speakers()
    kept = synchronised(clips, [Synchrony(0.08, 5), Synchrony(0.2, 0), Synchrony(0.01, 3), Synchrony(0.01, 2)])
    assert [one.name for one in kept] == ["s0", "s2", "s3"]
    assert [len(one) for one in kept] == [75, 72, 75]
    np.testing.assert_array_equal(kept[1].features.log_mel, clips[2].features.log_mel[3:])
    np.testing.assert_array_equal(kept[1].delta, clips[2].delta[:-3])


def test_means_are_deterministic_and_change_no_encoder() -> None:
    clips = speakers(2)
    speech, _ = initial_speech(clips, MODEL, TINY)
    material, before = Material(clips, speech, np.array([0, 1])), copy.deepcopy(speech.state_dict())
    encoders = cast("list[SoundEncoder]", list(speech.encoders.children()))
    first, second = (held_out_means(encoders, material.encoder_clips) for _ in range(2))
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    torch.testing.assert_close(speech.state_dict(), before, atol=0, rtol=0)


def test_a_stopped_training_resumes(tmp_path: Path) -> None:
    clips = speakers()
    speech, _ = initial_speech(clips, MODEL, TINY)
    material = Material(clips, speech, np.array([0, 1, 0, 1]))
    material.means = [torch.zeros(75, 6) + 0.1 * motion[:, :6] for motion in material.motion]
    fit_prediction(
        speech, [speech.remainder(motion, mean) for motion, mean in zip(material.motion, material.means, strict=True)]
    )
    set_emphasis(speech, material, PROBES)
    assert speech.emphasis[0] > 1
    recipe = FlowRecipe(batch=4, window=30, steps=4, evaluate_every=2, held_out=4)
    lines = list(zip(material.motion, material.means, material.columns, strict=True))
    people = [one.identity for one in clips]
    first = train_flow(speech, lines, people, tmp_path, recipe)
    again, _ = initial_speech(clips, MODEL, TINY)
    again.load_state_dict(speech.state_dict())
    assert train_flow(again, lines, people, tmp_path, recipe) == first
    torch.testing.assert_close(again.flow.state_dict(), speech.flow.state_dict())
