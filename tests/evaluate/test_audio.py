"""Metrics of motion generated from sound, for takes whose motion is known."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from facepipe.evaluate.audio import Metric, Trial, likelihoods, metrics
from facepipe.face.expression_probes import probes_of
from facepipe.face.model import load_face_model
from facepipe.motion.features import features_of
from facepipe.motion.neutral_delta import neutral_delta_of
from facepipe.motion.procedural import blinked
from facepipe.spaces.coefficients import Coefficients
from facepipe.train.speakers import Speaker
from facepipe.weights import find
from tests.media.sounds import voice
from tests.motion.test_audio_model import SMALL, small_speech, someone

MODEL = load_face_model(find("face-model").path)
PROBES = probes_of(MODEL)
COUNT = 250


def moving(seed: int, *, size: float = 1.0, late: int = 0, blinks: int = 0) -> Coefficients:
    """Ten seconds of a mouth that opens by `size` as the seed says, a head that turns, and lids that shut."""
    dice = np.random.default_rng(seed)
    opening, *turning = (gaussian_filter1d(dice.normal(size=COUNT), 3.0) for _ in range(4))
    expression = 0.3 * size * np.roll(opening, late)[:, None] * PROBES.opening
    depths = np.zeros(COUNT)
    for number in range(blinks):
        depths[40 * number + 20 : 40 * number + 25] = 1
    still = someone().repeated(COUNT)
    expression = blinked(expression, np.zeros(64), depths, PROBES)
    return still.with_motion(expression, size * np.stack(turning, axis=1), still.translation)


def measured(takes: list[Coefficients], control: list[Coefficients]) -> dict[str, Metric]:
    truth = replace(moving(1), fps=Fraction(25))
    features = features_of([voice(COUNT / 25)], Fraction(25))
    speaker = Speaker("s", "id", features, truth, neutral_delta_of(truth, PROBES))
    return {one.name: one for one in metrics([Trial(speaker, takes, control, seconds=2.0)], MODEL)}


def test_the_truth_itself_is_perfect_but_that_its_takes_do_not_differ() -> None:
    found = measured([moving(1), moving(1)], [moving(2), moving(3)])
    for name, value in {
        "mouth opening, correlation with the truth": 1,
        "best lag, median, frames": 0,
        "mouth opening, amplitude over the true one": 1,
        "head, angular speed over the true one": 1,
        "two takes' heads differ, over the true deviation": 0,
        "two takes' mouths agree, correlation": 1,
        "motion alone, times real time": 10,
    }.items():
        assert found[name].value == pytest.approx(value, abs=1e-6), name
    assert abs(found["the same with another clip's sound"].value) < 0.4
    assert found["two takes' heads differ, over the true deviation"].line.endswith("| NO |")


def test_late_small_and_different_takes_are_told() -> None:
    found = measured([moving(1, size=0.5, late=2), moving(2, size=0.5)], [moving(1), moving(1)])
    assert found["mouth opening, amplitude over the true one"].value == pytest.approx(0.5, abs=0.1)
    assert found["head, angular speed over the true one"].value == pytest.approx(0.5, abs=0.1)
    assert found["two takes' heads differ, over the true deviation"].value > 0.5
    assert found["two takes' mouths agree, correlation"].value < 0.5
    assert found["the same with another clip's sound"].value == pytest.approx(1)
    late = measured([moving(1, late=2)] * 2, [moving(2)])
    assert late["best lag, median, frames"].value == 2


def test_blinks_are_counted() -> None:
    found = measured([moving(1, blinks=3), moving(1, blinks=5)], [moving(2)])
    assert found["blinks a minute"].value == pytest.approx(8 / 20 * 60)
    assert found["blinks per minute of the true motion"].value == 0
    assert found["blinks a minute"].line == "| blinks a minute | 24.000 | >= 8 and <= 30 | yes |"


def test_likelihoods_are_those_of_the_processes_that_made_the_motion() -> None:
    """Motion of one channel after another that keeps 0.8 of its last value: both entropies are known.

    Its values have deviation 0.5, and what is new in each 0.5 * sqrt(1 - 0.64).
    """
    speech = small_speech()
    speech.encode.copy_(torch.eye(64, SMALL.directions))
    speech.deviation.fill_(1.0)
    heard = features_of([voice(80.0)], Fraction(25))
    seen, unseen = (autoregressive(seed, len(heard)) for seed in (1, 2))
    speakers = [Speaker("s", "id", heard, someone(len(heard)), rows) for rows in (seen, unseen)]
    found = {one.name: one for one in likelihoods(speakers[1:], speakers[:1], speech)}
    for name, deviation in {
        "bits per frame, Gaussian": 0.5,
        "bits per frame, linear prediction from the last frames": 0.5 * 0.6,
    }.items():
        entropy = SMALL.channels * np.log2(deviation * np.sqrt(2 * np.pi * math.e))
        assert found[name].value == pytest.approx(entropy, abs=0.3), name
    metric = found["bits per frame, flow"]
    assert metric.high == min(one.value for name, one in found.items() if name != metric.name)
    # The errors of the true prediction, on a flow that leaves them as they are, have the entropy of what is new.
    speech.flow.nll = standard_bits  # type: ignore[method-assign]
    speech.prediction.zero_()
    speech.prediction[-SMALL.channels :] = 0.8 * torch.eye(SMALL.channels)
    speech.innovation.fill_(0.3)
    speech.mean = lambda columns: torch.zeros(len(columns) - 20, SMALL.directions)  # type: ignore[method-assign]
    values = {one.name: one.value for one in likelihoods(speakers[1:], speakers[:1], speech)}
    assert values[metric.name] == pytest.approx(entropy, abs=0.2)


def standard_bits(x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """Return the bits a frame (B,) of a flow that leaves its data (B, C, T) as they are."""
    assert len(condition) == len(x)
    bits: torch.Tensor = 0.5 * (x.square() + np.log(2 * np.pi)).sum(1).mean(1) / np.log(2)
    return bits


def autoregressive(seed: int, count: int) -> np.ndarray:
    """Departures (T, 70) each number of which keeps 0.8 of its last value, deviation 0.5."""
    fresh = np.random.default_rng(seed).normal(0, 0.5 * 0.6, (count, 70))
    fresh[0] /= 0.6
    return np.asarray(lfilter([1.0], [1.0, -0.8], fresh, axis=0))
