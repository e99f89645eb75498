"""Autoregressive sampling of the audio-to-motion network, conditioned on previous frames and the surrounding sound."""

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

# Frames per block. Latents are sampled block by block, so changing this number changes the results.
BLOCK_FRAMES = 500
# Frames per batch of the encoders when a short lookahead requires a window for each frame.
WINDOW_BATCH = 25


def max_lookahead(speech: AudioToMotion) -> int:
    """Return the number of frames of sound after a frame that influence it."""
    return ENCODER_RADIUS + speech.config.lookahead


def sample_motion(
    speech: AudioToMotion, features: Features, generator: torch.Generator, *, temperature: float = 1.0, lookahead: int
) -> Iterator[tuple[Floats, Floats]]:
    """Sample motion for a sound at the frame rate of the network, in blocks of N frames.

    `lookahead` limits the number of frames of sound after each frame that influence it. Yields the mean directions that
    the sound determines (N, D) and the sampled remainder (N, C), both in standard deviations.
    """
    count, config = len(features), speech.config
    k, channels = config.memory, config.channels
    stepper = Stepper(speech.flow, history=k * channels)
    prediction, innovation = speech.prediction.double().numpy(), speech.innovation.double().numpy()
    past = np.zeros((k, channels))
    for first in range(0, count, BLOCK_FRAMES):
        end = min(count, first + BLOCK_FRAMES)
        mean, sound = (rows[: end - first] for rows in _conditions(speech, features, first, lookahead))
        projected = stepper.project(sound)
        latents = speech.flow.draw(end - first, generator, temperature)[0].T.double().numpy()
        remainder = np.concatenate([past, np.empty((end - first, channels))])
        for index in range(end - first):
            history = remainder[index : index + k].ravel()
            error = stepper.step(latents[index], history, [part[index] for part in projected])
            remainder[k + index] = history @ prediction + innovation * error
        past = remainder[end - first :]
        yield mean, remainder[k:]


def _conditions(speech: AudioToMotion, features: Features, first: int, lookahead: int) -> tuple[Floats, Floats]:
    """Return the mean (N, D) and the sound conditions (N, S (k + 1 + tau)) of the block that starts at frame `first`.

    In the last block of a sound, N is at least the number of remaining frames; the caller drops surplus rows.
    """
    k, tau, radius = speech.config.memory, speech.config.lookahead, ENCODER_RADIUS
    before, after = k + radius, tau + radius
    # Padding repeats the first and last columns, so that every block has the same shape: the rounding of convolutions
    # depends on it.
    frames = np.arange(first - before, first + BLOCK_FRAMES + after)
    columns = speech.columns(features, frames.clip(0, len(features) - 1))
    with torch.no_grad():
        if lookahead >= after:
            mean = speech.mean(columns)
            controls = speech.controls(mean, columns[radius : len(columns) - radius])
            windows = controls.unfold(0, k + 1 + tau, 1).transpose(1, 2)
            current = mean[k : k + BLOCK_FRAMES]
        else:
            # Each frame has its own window. Columns beyond the lookahead repeat the last column within it.
            offsets = torch.arange(before + after + 1).clamp(max=before + lookahead)
            starts = torch.arange(BLOCK_FRAMES)[:, None]
            firsts = range(0, min(BLOCK_FRAMES, len(features) - first), WINDOW_BATCH)
            parts = [_windowed(speech, columns[starts[one : one + WINDOW_BATCH] + offsets]) for one in firsts]
            current, windows = (torch.cat(part) for part in zip(*parts, strict=True))
    return current.double().numpy(), windows.flatten(1).double().numpy()


def _windowed(speech: AudioToMotion, block: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (N, D) and sound conditions (N, k + 1 + tau, A) of N frames from their windows (N, …, A)."""
    means = torch.stack([encoder(block) for encoder in speech.encoders]).mean(0)
    sound = block[:, ENCODER_RADIUS : block.shape[1] - ENCODER_RADIUS]
    return means[:, speech.config.memory], speech.controls(means, sound)


@dataclass(frozen=True)
class _Step:
    """Weights of one flow step as NumPy arrays."""

    kept: int
    bias: Floats
    scale: Floats
    inverse: Floats
    kept_in: Floats
    history_in: Floats
    sound_in: Floats
    recurrent: tuple[Floats, Floats]
    """Hidden-to-gate matrices of the two LSTM layers."""
    second_in: Floats
    gate_bias: tuple[Floats, Floats]
    out: Floats
    out_bias: Floats


class Stepper:
    """Stateful inverse of a flow, frame by frame, in NumPy: `Flow.invert` without the overhead of torch."""

    def __init__(self, flow: Flow, *, history: int) -> None:
        self._steps = [_arrays_of(step, history) for step in flow.each[::-1]]
        hidden = flow.config.hidden
        self._state: list[list[Floats]] = [[np.zeros(hidden) for _ in range(4)] for _ in self._steps]

    def project(self, sound: Floats) -> list[Floats]:
        """Return the contribution (N, 4 H) of sound conditions (N, S) to the gates of each step."""
        return [row_product(sound, step.sound_in.T) + step.gate_bias[0] for step in self._steps]

    def step(self, latent: Floats, history: Floats, projected: list[Floats]) -> Floats:
        """Return the data (C,) for a latent (C,), given the previous motion (k C,) and the projected sound."""
        x = latent
        for step, state, sound in zip(self._steps, self._state, projected, strict=True):
            first, rest = x[: step.kept], x[step.kept :]
            gates = sound + step.kept_in @ first + step.history_in @ history + step.recurrent[0] @ state[0]
            state[0], state[1] = _lstm(gates, state[1])
            gates = step.gate_bias[1] + step.second_in @ state[0] + step.recurrent[1] @ state[2]
            state[2], state[3] = _lstm(gates, state[3])
            out = step.out @ state[2] + step.out_bias
            rest = rest / (expit(out[1::2] + SCALE_OFFSET) + SCALE_FLOOR) - out[0::2]
            x = step.inverse @ np.concatenate([first, rest]) * step.scale - step.bias
        return x


def _lstm(gates: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """Return the new hidden and cell states. Gates are in torch's order: input, forget, cell, output."""
    size = len(cell)
    cell = expit(gates[size : 2 * size]) * cell + expit(gates[:size]) * np.tanh(gates[2 * size : 3 * size])
    return expit(gates[3 * size :]) * np.tanh(cell), cell


def _arrays_of(step: FlowStep, history: int) -> _Step:
    lstm, kept = step.f.lstm, step.kept
    weights = {name: value.detach().double().numpy() for name, value in lstm.named_parameters()}
    inputs = weights["weight_ih_l0"]
    return _Step(
        kept=kept,
        bias=step.actnorm.bias.detach().double().numpy().ravel(),
        scale=np.exp(-step.actnorm.logs.detach().double().numpy().ravel()),
        inverse=np.linalg.inv(step.invconv.matrix().detach().double().numpy()),
        kept_in=inputs[:, :kept].copy(),
        history_in=inputs[:, kept : kept + history].copy(),
        sound_in=inputs[:, kept + history :].copy(),
        recurrent=(weights["weight_hh_l0"], weights["weight_hh_l1"]),
        second_in=weights["weight_ih_l1"],
        gate_bias=(
            weights["bias_ih_l0"] + weights["bias_hh_l0"],
            weights["bias_ih_l1"] + weights["bias_hh_l1"],
        ),
        out=step.f.linear.weight.detach().double().numpy(),
        out_bias=step.f.linear.bias.detach().double().numpy(),
    )
