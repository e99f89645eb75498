"""Running the speech model: frame after frame, each drawn from what came before and from the sound around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from facepipe.motion.audio_model import ENCODER_RADIUS, AudioToMotion
from facepipe.motion.features import Features
from facepipe.motion.flow import SCALE_FLOOR, SCALE_OFFSET, Flow, FlowStep

Floats = NDArray[np.floating]

# Frames that are drawn together.
BLOCK_FRAMES = 500


def longest_lookahead(speech: AudioToMotion) -> int:
    """Return how many frames of sound after a frame have a say in it."""
    return ENCODER_RADIUS + speech.config.lookahead


def draw_motion(
    speech: AudioToMotion, features: Features, generator: torch.Generator, *, temperature: float = 1.0, lookahead: int
) -> Iterator[tuple[Floats, Floats]]:
    """Draw a motion for a sound at the model's rate, in blocks of N frames.

    `lookahead` is how many frames of sound after each frame may have a say in it. Yields the directions that the sound
    itself tells (N, D), and the remainder that was drawn (N, C), both in deviations.
    """
    count, config = len(features), speech.config
    k, channels = config.memory, config.channels
    stepper = Stepper(speech.flow, remembered=k * channels)
    prediction, innovation = speech.prediction.double().numpy(), speech.innovation.double().numpy()
    past = np.zeros((k, channels))
    for first in range(0, count, BLOCK_FRAMES):
        end = min(count, first + BLOCK_FRAMES)
        mean, sound = _heard(speech, features, first, end, lookahead)
        projected = stepper.project(sound)
        latents = speech.flow.draw(end - first, generator, temperature)[0].T.double().numpy()
        drawn = np.concatenate([past, np.empty((end - first, channels))])
        for place in range(end - first):
            remembered = drawn[place : place + k].ravel()
            error = stepper.step(latents[place], remembered, [part[place] for part in projected])
            drawn[k + place] = remembered @ prediction + innovation * error
        past = drawn[end - first :]
        yield mean, drawn[k:]


def _heard(speech: AudioToMotion, features: Features, first: int, end: int, lookahead: int) -> tuple[Floats, Floats]:
    """Return the mean (N, D) of frames, and the flow's sound conditions (N, S (k + 1 + tau))."""
    k, tau, radius = speech.config.memory, speech.config.lookahead, ENCODER_RADIUS
    before, after = k + radius, tau + radius
    # Before the sound is its first column, and after it its last.
    columns = speech.columns(features, np.arange(first - before, end + after).clip(0, len(features) - 1))
    with torch.no_grad():
        if lookahead >= after:
            mean = speech.mean(columns)
            controls = speech.controls(mean, columns[radius : len(columns) - radius])
            windows = controls.unfold(0, k + 1 + tau, 1).transpose(1, 2)
            own = mean[k : k + end - first]
        else:
            # Each frame by itself, what comes later than it may hear replaced by the last that it may.
            places = torch.arange(end - first)[:, None] + torch.arange(before + after + 1).clamp(max=before + lookahead)
            block = columns[places]
            means = torch.stack([encoder(block) for encoder in speech.encoders]).mean(0)
            windows = speech.controls(means, block[:, radius : block.shape[1] - radius])
            own = means[:, k]
    return own.double().numpy(), windows.flatten(1).double().numpy()


@dataclass(frozen=True)
class _Step:
    """One step of the flow in plain arrays."""

    kept: int
    bias: Floats
    scale: Floats
    inverse: Floats
    kept_in: Floats
    remembered_in: Floats
    sound_in: Floats
    own: tuple[Floats, Floats]
    """Hidden to gates of the two layers."""
    second_in: Floats
    gate_bias: tuple[Floats, Floats]
    out: Floats
    out_bias: Floats


class Stepper:
    """The inverse of a flow a frame at a time, with its state: the same as `Flow.invert`, without torch's overhead."""

    def __init__(self, flow: Flow, *, remembered: int) -> None:
        self._steps = [_plain(step, remembered) for step in flow.each[::-1]]
        hidden = flow.config.hidden
        self._state: list[list[Floats]] = [[np.zeros(hidden) for _ in range(4)] for _ in self._steps]

    def project(self, sound: Floats) -> list[Floats]:
        """Return what sound conditions (N, S) add to the gates of each step, (N, 4 H)."""
        return [sound @ step.sound_in.T + step.gate_bias[0] for step in self._steps]

    def step(self, latent: Floats, remembered: Floats, projected: list[Floats]) -> Floats:
        """Return the data (C,) of a latent (C,) under remembered motions (k C,) and projected sound."""
        x = latent
        for step, state, sound in zip(self._steps, self._state, projected, strict=True):
            first, rest = x[: step.kept], x[step.kept :]
            gates = sound + step.kept_in @ first + step.remembered_in @ remembered + step.own[0] @ state[0]
            state[0], state[1] = _lstm(gates, state[1])
            gates = step.gate_bias[1] + step.second_in @ state[0] + step.own[1] @ state[2]
            state[2], state[3] = _lstm(gates, state[3])
            out = step.out @ state[2] + step.out_bias
            rest = rest / (expit(out[1::2] + SCALE_OFFSET) + SCALE_FLOOR) - out[0::2]
            x = step.inverse @ np.concatenate([first, rest]) * step.scale - step.bias
        return x


def _lstm(gates: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """Return hidden and cell state after torch's order of gates: input, forget, cell, output."""
    size = len(cell)
    cell = expit(gates[size : 2 * size]) * cell + expit(gates[:size]) * np.tanh(gates[2 * size : 3 * size])
    return expit(gates[3 * size :]) * np.tanh(cell), cell


def _plain(step: FlowStep, remembered: int) -> _Step:
    lstm, kept = step.f.lstm, step.kept
    weights = {name: value.detach().double().numpy() for name, value in lstm.named_parameters()}
    taken = weights["weight_ih_l0"]
    return _Step(
        kept=kept,
        bias=step.actnorm.bias.detach().double().numpy().ravel(),
        scale=np.exp(-step.actnorm.logs.detach().double().numpy().ravel()),
        inverse=np.linalg.inv(step.invconv.matrix().detach().double().numpy()),
        kept_in=taken[:, :kept].copy(),
        remembered_in=taken[:, kept : kept + remembered].copy(),
        sound_in=taken[:, kept + remembered :].copy(),
        own=(weights["weight_hh_l0"], weights["weight_hh_l1"]),
        second_in=weights["weight_ih_l1"],
        gate_bias=(
            weights["bias_ih_l0"] + weights["bias_hh_l0"],
            weights["bias_ih_l1"] + weights["bias_hh_l1"],
        ),
        out=step.f.linear.weight.detach().double().numpy(),
        out_bias=step.f.linear.bias.detach().double().numpy(),
    )
