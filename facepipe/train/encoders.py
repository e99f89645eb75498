"""Training of the sound encoders, which predict the mean motion of a face from sound.

Each encoder is trained on the speakers of all folds but its own, so that the means of held-out clips are predicted for
unknown speakers, as in use. A flow trained on means of known speakers would trust the sound too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facepipe.motion.audio_model import ENCODER_RADIUS, AudioToMotionConfig, SoundEncoder, padded

WINDOW_FRAMES, BATCH = 80, 24
RATE, DECAY = 2e-3, 0.05
# Standard deviations of the augmentation of standardised columns: gain and spectral colour per window, and noise.
GAIN, COLOUR, NOISE = 0.3, 0.3, 0.2
# Weight of the correlation of predicted and true mouth opening, which ignores amplitude.
CORRELATION_WEIGHT = 3.0
STILL = 0.01


@dataclass(frozen=True)
class EncoderClip:
    """One clip as input and target of an encoder."""

    columns: Tensor
    """(T, A), standardised."""
    directions: Tensor
    """(T, D), standardised."""
    fold: int


@dataclass(frozen=True)
class Objective:
    """The training objective of an encoder."""

    measures: Tensor
    """(D, M): maps directions to measures of the mouth, each in its standard deviation; the first is the opening."""
    weights: Tensor
    """(D,) weight of each direction."""
    mirrored: Tensor
    """(D,) the sign of each direction in a mirror."""

    def loss(self, made: Tensor, true: Tensor, there: Tensor) -> Tensor:
        """Return the loss of means (B, T, D); `there` (B, T) marks the frames that count."""
        wrong = made - true
        every = (wrong.pow(2) * self.weights).sum(-1) + (wrong @ self.measures).pow(2).mean(-1)
        opening = self.measures[:, 0]
        correlation = _correlations(made @ opening, true @ opening, there).mean()
        return (every * there).sum() / there.sum() + CORRELATION_WEIGHT * (1 - correlation)


def _correlations(first: Tensor, second: Tensor, there: Tensor) -> Tensor:
    """Return the correlation (B,) of signals (B, T) over the frames marked by `there`."""
    count = there.sum(1, keepdim=True)
    first, second = ((one - (one * there).sum(1, keepdim=True) / count) * there for one in (first, second))
    # A floor, so that signals with little motion get less weight.
    sizes = (first.pow(2).sum(1) + STILL) * (second.pow(2).sum(1) + STILL)
    return (first * second).sum(1) / sizes.sqrt()


def train_encoder(
    clips: Sequence[EncoderClip],
    objective: Objective,
    config: AudioToMotionConfig,
    *,
    left_out: int,
    epochs: int,
    seed: int,
) -> dict[str, Tensor]:
    """Train an encoder on the clips of all folds but `left_out`, in the threads of this process; return its state."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    used = [clip for clip in clips if clip.fold != left_out]
    lengths = np.array([len(clip.columns) for clip in used])
    net = SoundEncoder(config)
    steps = max(1, int(epochs * lengths.sum() / (BATCH * WINDOW_FRAMES)))
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    for _ in range(steps):
        chosen = random.choice(len(used), BATCH, p=lengths / lengths.sum())
        columns, directions, there = (
            torch.stack(part) for part in zip(*(_window(used[one], objective, random) for one in chosen), strict=True)
        )
        loss = objective.loss(net(_augmented(columns)), directions, there)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return net.eval().state_dict()


def _window(clip: EncoderClip, objective: Objective, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Cut out a window, mirrored half of the time; short clips are padded with their last frame, which is masked."""
    length = len(clip.columns)
    count = min(WINDOW_FRAMES, length)
    first, short = int(random.integers(0, length - count + 1)), WINDOW_FRAMES - count
    columns = padded(clip.columns, ENCODER_RADIUS, ENCODER_RADIUS)[first : first + count + 2 * ENCODER_RADIUS]
    directions = padded(clip.directions[first : first + count], 0, short)
    if random.random() < 0.5:
        directions = directions * objective.mirrored
    return padded(columns, 0, short), directions, torch.arange(WINDOW_FRAMES) < count


def _augmented(columns: Tensor) -> Tensor:
    count, _, bands = columns.shape
    gain, colour = torch.randn(count, 1, 1) * GAIN, torch.randn(count, 1, bands) * COLOUR
    return columns + gain + colour + torch.randn_like(columns) * NOISE


def mean_of(encoders: Sequence[nn.Module], columns: Tensor) -> Tensor:
    """Return the mean (T, D) that the encoders predict for a clip's columns (T, A), averaged over encoders."""
    with torch.no_grad():
        whole = padded(columns, ENCODER_RADIUS, ENCODER_RADIUS)[None]
        return torch.stack([encoder(whole)[0] for encoder in encoders]).mean(0)


def held_out_means(encoders: Sequence[SoundEncoder], clips: Sequence[EncoderClip]) -> list[Tensor]:
    """Return the mean (T, D) of each clip, predicted by the encoder that was not trained on its fold."""
    return [mean_of([encoders[clip.fold]], clip.columns) for clip in clips]


def folds_of(identities: Sequence[str], count: int, seed: int = 3) -> NDArray[np.intp]:
    """Assign clips to folds so that each identity is in one fold only."""
    names = sorted(set(identities))
    numbers = np.random.default_rng(seed).permutation(len(names)) % count
    fold = dict(zip(names, numbers, strict=True))
    return np.array([fold[name] for name in identities])
