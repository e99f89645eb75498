"""The audio-to-motion network: sampling, likelihood, neutral deltas, procedural motion and synthesis."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facepipe.errors import WeightsError
from facepipe.face.cropping import SquareCrop
from facepipe.face.expression_probes import probes_of
from facepipe.face.model import FaceModel, load_face_model
from facepipe.motion.audio_model import ENCODER_RADIUS, AudioToMotion, AudioToMotionConfig, padded
from facepipe.motion.audio_model_file import load_audio_model, save_audio_model
from facepipe.motion.features import Features, features_of, frames_of
from facepipe.motion.flow import conditions
from facepipe.motion.neutral_delta import neutral_delta_of, resampled, with_delta
from facepipe.motion.procedural import ProceduralMotion, blink_depths, speaking
from facepipe.motion.sampling import max_lookahead, sample_motion
from facepipe.motion.synthesis import SamplingOptions, synthesise
from facepipe.spaces.coefficients import Coefficients
from facepipe.weights import find
from tests.media.sounds import voice

SMALL = AudioToMotionConfig(
    directions=6, encoders=2, encoder_width=8, memory=3, lookahead=2, controls=4, hidden=5, steps=2
)
RATE = Fraction(25)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model(find("face-model").path)


@pytest.fixture(scope="module")
def features() -> Features:
    return features_of([voice(3.0)], RATE)


def small_speech() -> AudioToMotion:
    torch.manual_seed(5)
    speech = AudioToMotion(SMALL)
    for name, value in {
        "column_deviation": 3.0,
        "deviation": 0.3,
        "innovation": 0.4,
        "emphasis": 1.0,
    }.items():
        getattr(speech, name).fill_(value)
    speech.encode.normal_(std=0.1)
    speech.decode.copy_(torch.linalg.pinv(speech.encode))
    speech.prediction.normal_(std=0.1)
    for step in speech.flow.each:
        torch.nn.init.normal_(step.f.linear.weight, std=0.2)
    return speech.eval().requires_grad_(False)


def someone(count: int = 1) -> Coefficients:
    dice = np.random.default_rng(6)
    return Coefficients(
        identity=dice.normal(0, 0.3, 80),
        expression=dice.normal(0, 0.1, (count, 64)),
        angles=dice.normal(0, 0.1, (count, 3)),
        translation=dice.normal(0, 0.05, (count, 3)),
        valid=np.ones(count, bool),
        residual=np.zeros(count),
        fps=RATE,
        crop=SquareCrop(50, 50, 100),
        picture_size=(100, 100),
    )


def all_sampled(*arguments: Any, **named: Any) -> tuple[Any, Any]:
    """Return the blocks of `sample_motion` joined."""
    mean, remainder = (np.concatenate(blocks) for blocks in zip(*sample_motion(*arguments, **named), strict=True))
    return mean, remainder


def test_sampling_equals_inverting_the_flow_step_by_step(features: Features) -> None:
    """The reference uses the conditions of training and torch's LSTM, frame by frame."""
    speech, k, tau = small_speech(), SMALL.memory, SMALL.lookahead
    mean, remainder = all_sampled(speech, features, torch.Generator().manual_seed(3), lookahead=max_lookahead(speech))
    columns = padded(speech.columns(features), k + ENCODER_RADIUS, tau + ENCODER_RADIUS)
    means = speech.mean(columns)
    controls = speech.controls(means, columns[ENCODER_RADIUS:-ENCODER_RADIUS])[None]
    latents = speech.flow.draw(len(features), torch.Generator().manual_seed(3))
    past, state = torch.zeros(1, k, SMALL.channels), None
    for frame in range(20):
        window = controls[:, frame : frame + k + 1 + tau]
        condition = conditions(past[:, -k:], window, memory=k, lookahead=tau)
        error, state = speech.flow.invert(latents[..., frame : frame + 1], condition, state)
        one = past[:, -k:].flatten(1) @ speech.prediction + speech.innovation * error[..., 0]
        past = torch.cat([past, one[:, None]], 1)
    np.testing.assert_allclose(remainder[:20], past[0, k:].numpy(), atol=1e-4)
    np.testing.assert_allclose(mean, means[k : k + len(features)].numpy(), atol=1e-5)


def test_frames_beyond_the_lookahead_have_no_effect(features: Features) -> None:
    speech, ahead = small_speech(), 3
    changed = replace(features, log_mel=features.log_mel.copy(), voicing=features.voicing.copy())
    changed.log_mel[40:] += 3
    plain, other = (
        all_sampled(speech, one, torch.Generator().manual_seed(3), lookahead=ahead) for one in (features, changed)
    )
    for mine, theirs in zip(plain, other, strict=True):
        np.testing.assert_array_equal(mine[: 40 - ahead], theirs[: 40 - ahead])
        assert np.abs(mine[40 - ahead :] - theirs[40 - ahead :]).max() > 1e-3


def test_block_size_does_not_affect_the_motion(features: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    speech = small_speech()
    speech.flow.draw = lambda count, *_: torch.zeros(1, SMALL.channels, count)  # type: ignore[method-assign]
    whole = all_sampled(speech, features, torch.Generator(), lookahead=99)
    monkeypatch.setattr("facepipe.motion.sampling.BLOCK_FRAMES", 7)
    for mine, theirs in zip(all_sampled(speech, features, torch.Generator(), lookahead=99), whole, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("fps", [RATE, Fraction(30000, 1001), Fraction(12)], ids=str)
def test_synthesis_in_blocks_equals_the_whole(
    model: FaceModel, features: Features, fps: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = frames_of(3.0, fps)

    def made(block_frames: int) -> Coefficients:
        monkeypatch.setattr("facepipe.motion.synthesis.BLOCK_FRAMES", block_frames)
        return synthesise(
            model, load_audio_model(find("audio").path), someone(), features, SamplingOptions(), fps=fps, count=count
        )

    whole = made(count)
    assert whole.fps == fps
    for block_frames in (1, 7, count - 1):
        blocks = made(block_frames)
        for name in ("expression", "angles", "translation", "valid", "residual"):
            np.testing.assert_array_equal(getattr(blocks, name), getattr(whole, name))


def test_speech_in_the_second_block_moves_only_that_block(model: FaceModel) -> None:
    """Sound that is silent until its end: the face rests until then, across blocks of sampling and of synthesis."""
    sound = np.concatenate([np.zeros(45 * 16_000, np.float32), voice(5.0)])
    made = spoken(
        model, features_of([sound], RATE), SamplingOptions(procedural=ProceduralMotion(blinks=False)), count=1250
    )
    moves = np.ptp(made.expression[:1100], axis=0).max(), np.ptp(made.expression[1125:], axis=0).max()
    assert moves[0] < 1e-6 < 0.1 < moves[1]


def test_the_likelihood_includes_the_scale_of_the_innovation(features: Features) -> None:
    """Change of variables: the likelihood is that of the flow plus the log of the scale of the prediction error."""
    speech = small_speech()
    columns = speech.columns(features)[None]
    mean, motion = torch.zeros(1, len(features), 6), torch.randn(1, len(features), SMALL.channels)
    before = speech.nll(motion, mean, columns)
    speech.innovation.mul_(2)
    error, condition = speech.flow_inputs(motion, mean, columns)
    expected = speech.flow.nll(error, condition) + torch.log2(speech.innovation).sum()
    torch.testing.assert_close(speech.nll(motion, mean, columns), expected)
    assert not torch.allclose(before, expected)


def test_deltas_round_trip(model: FaceModel) -> None:
    clip, probes = someone(40), probes_of(model)
    delta = neutral_delta_of(clip, probes)
    # Applied to a source with the clip's mean pose and resting expression, the delta gives the clip without blinks.
    rest = clip.expression[0] - delta[0, :64]
    source = replace(clip.rows(0, 1), translation=clip.translation.mean(0)[None], angles=np.zeros((1, 3)))
    made = with_delta(source, delta, RATE, expression=rest)
    mouth, true = (probes.mouth_open(one.expression) for one in (made, clip))
    np.testing.assert_allclose(mouth, true, atol=0.05)
    np.testing.assert_allclose(made.translation, clip.translation, atol=1e-9)
    np.testing.assert_allclose(made.angles, delta[:, 64:67], atol=1e-9)


def test_resampling_keeps_times() -> None:
    given = (np.arange(50) + 0.5)[:, None] / 25
    wanted = resampled(given, RATE, Fraction(30), 60)[:, 0]
    np.testing.assert_allclose(wanted[1:-1], (np.arange(1, 59) + 0.5) / 30, atol=1e-9)


def test_blinks_have_human_rates_and_minimum_gaps() -> None:
    count = 25 * 600
    depth = blink_depths(count, 25, torch.Generator().manual_seed(1))
    starts = np.flatnonzero(np.diff((depth > 0.5).astype(int)) == 1)
    assert 14 <= len(starts) / 10 <= 21
    assert np.diff(starts).min() >= 0.6 * 25
    assert depth.max() == pytest.approx(1, abs=0.05)
    for seed in range(50):
        assert blink_depths(25, 25, torch.Generator().manual_seed(seed))[:12].max() == 0


def spoken(model: FaceModel, heard: Features, sampling: SamplingOptions, count: int = 75) -> Coefficients:
    return synthesise(model, load_audio_model(find("audio").path), someone(), heard, sampling, fps=RATE, count=count)


def test_in_silence_the_face_rests_blinks_and_breathes(model: FaceModel) -> None:
    heard = features_of([np.zeros(16_000 * 20, np.float32)], RATE)
    made, probes = spoken(model, heard, SamplingOptions(seed=2), count=500), probes_of(model, someone().identity)
    assert np.abs(probes.mouth_open(made.expression)).max() < 0.01
    assert (probes.lids_down(made.expression).max(0) > -0.02).all()
    assert np.ptp(made.translation, axis=0)[1] > 0.005
    assert speaking(heard).max() == 0


def test_speech_opens_the_mouth_and_the_seed_selects_the_sample(model: FaceModel, features: Features) -> None:
    probes = probes_of(model, someone().identity)
    one, same, other = (spoken(model, features, SamplingOptions(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.expression, same.expression)
    np.testing.assert_array_equal(one.angles, same.angles)
    assert np.abs(one.angles - other.angles).mean() > 0.005
    assert probes.mouth_open(one.expression).std() > 0.01
    assert probes.mouth_open(one.expression).min() > -1e-6


def test_options_switch_parts_of_the_motion_off(model: FaceModel, features: Features) -> None:
    still = spoken(model, features, SamplingOptions(still=True))
    assert np.abs(still.angles - still.angles[0]).max() < 1e-9
    assert np.abs(still.translation - still.translation[0]).max() < 1e-9
    unblinking = spoken(model, features, SamplingOptions(procedural=ProceduralMotion(blinks=False)))
    mute = spoken(model, features, SamplingOptions(expression_strength=0.0, procedural=ProceduralMotion(blinks=False)))
    assert probes_of(model).lids_down(unblinking.expression).std(0).max() < 0.05
    assert np.abs(np.diff(mute.expression, axis=0)).max() < 1e-9
    calm = spoken(model, features, SamplingOptions(temperature=0.0, procedural=ProceduralMotion(breath=False)))
    assert (
        calm.angles.std()
        < spoken(model, features, SamplingOptions(procedural=ProceduralMotion(breath=False))).angles.std()
    )


def test_head_motion_comes_from_another_clip(model: FaceModel, features: Features) -> None:
    head = someone(30)
    made = synthesise(
        model,
        load_audio_model(find("audio").path),
        someone(),
        features,
        SamplingOptions(),
        fps=RATE,
        count=75,
        head=head,
    )
    # The clip is played forwards, then backwards.
    np.testing.assert_allclose(made.angles[29], made.angles[30], atol=1e-6)
    np.testing.assert_allclose(made.angles[0], someone().angles[0], atol=1e-6)


def test_files_round_trip(tmp_path: Path) -> None:
    speech = small_speech()
    save_audio_model(speech, tmp_path / "a.safetensors")
    again = load_audio_model(tmp_path / "a.safetensors")
    torch.testing.assert_close(again.flow.state_dict(), speech.flow.state_dict())
    with pytest.raises(WeightsError, match="kind"):
        load_audio_model(find("landmarker").path)
