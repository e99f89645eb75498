"""Running the speech model: frame after frame, each drawn from what came before and from the sound around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from facepipe.models.rows import row_product
from facepipe.motion.audio_model import ENCODER_RADIUS, AudioToMotion
from facepipe.motion.features import Features
from facepipe.motion.flow import SCALE_FLOOR, SCALE_OFFSET, Flow, FlowStep

Floats = NDArray[np.floating]

# Frames that are drawn together. Latents are drawn block by block, so this number is part of the results.
BLOCK_FRAMES = 500
# Frames whose own windows the encoders see together where the lookahead is short.
WINDOWS = 25


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
        mean, sound = (rows[: end - first] for rows in _heard(speech, features, first, lookahead))
        projected = stepper.project(sound)
        latents = speech.flow.draw(end - first, generator, temperature)[0].T.double().numpy()
        drawn = np.concatenate([past, np.empty((end - first, channels))])
        for place in range(end - first):
            remembered = drawn[place : place + k].ravel()
            error = stepper.step(latents[place], remembered, [part[place] for part in projected])
            drawn[k + place] = remembered @ prediction + innovation * error
        past = drawn[end - first :]
        yield mean, drawn[k:]


def _heard(speech: AudioToMotion, features: Features, first: int, lookahead: int) -> tuple[Floats, Floats]:
    """Return the mean (N, D) of a block that begins with frame `first`, and sound conditions (N, S (k + 1 + tau)).

    The last block of a sound has at least as many rows as the sound has frames left; drop the others.
    """
    k, tau, radius = speech.config.memory, speech.config.lookahead, ENCODER_RADIUS
    before, after = k + radius, tau + radius
    # The first column is repeated before the sound, and the last after it: every block has the same shape, on which
    # the rounding of convolutions depends.
    frames = np.arange(first - before, first + BLOCK_FRAMES + after)
    columns = speech.columns(features, frames.clip(0, len(features) - 1))
    with torch.no_grad():
        if lookahead >= after:
            mean = speech.mean(columns)
            controls = speech.controls(mean, columns[radius : len(columns) - radius])
            windows = controls.unfold(0, k + 1 + tau, 1).transpose(1, 2)
            own = mean[k : k + BLOCK_FRAMES]
        else:
            # Each frame has its own window, in which columns beyond the lookahead repeat the last one within it.
            offsets = torch.arange(before + after + 1).clamp(max=before + lookahead)
            starts = torch.arange(BLOCK_FRAMES)[:, None]
            firsts = range(0, min(BLOCK_FRAMES, len(features) - first), WINDOWS)
            parts = [_windowed(speech, columns[starts[one : one + WINDOWS] + offsets]) for one in firsts]
            own, windows = (torch.cat(part) for part in zip(*parts, strict=True))
    return own.double().numpy(), windows.flatten(1).double().numpy()


def _windowed(speech: AudioToMotion, block: Tensor) -> tuple[Tensor, Tensor]:
    """Return means (N, D) and sound conditions (N, k + 1 + tau, A) of frames with windows of columns (N, …, A) each."""
    means = torch.stack([encoder(block) for encoder in speech.encoders]).mean(0)
    sound = block[:, ENCODER_RADIUS : block.shape[1] - ENCODER_RADIUS]
    return means[:, speech.config.memory], speech.controls(means, sound)


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
        return [row_product(sound, step.sound_in.T) + step.gate_bias[0] for step in self._steps]

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
