"""Training the encoders of sound: what a face does on average while something is said.

Each learns from the speakers of all folds but its own, so that the means of the others' clips are those of strangers,
as they will be in use; a flow that learned from means of known speakers would trust the sound too much.
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
# Deviations of what is laid on standardised columns: loudness of a window, colour of a window, and noise.
GAIN, COLOUR, NOISE = 0.3, 0.3, 0.2
# How much it counts that the mouth's opening rises and falls as the true one does, by however much.
FOLLOWING = 3.0
STILL = 0.01


@dataclass(frozen=True)
class Lesson:
    """A clip as an encoder sees it."""

    columns: Tensor
    """(T, A), standardised."""
    directions: Tensor
    """(T, D), standardised."""
    fold: int


@dataclass(frozen=True)
class Aim:
    """What counts in a mean."""

    measures: Tensor
    """(D, M): directions to the measures of the mouth that count beside them, each in its own deviation; the first is
    its opening."""
    weights: Tensor
    """(D,) how much each direction counts."""
    mirrored: Tensor
    """(D,) the sign of each direction in a mirror."""

    def loss(self, made: Tensor, true: Tensor, there: Tensor) -> Tensor:
        """Return the loss of means (B, T, D); `there` (B, T) says which frames count."""
        wrong = made - true
        every = (wrong.pow(2) * self.weights).sum(-1) + (wrong @ self.measures).pow(2).mean(-1)
        opening = self.measures[:, 0]
        following = _correlations(made @ opening, true @ opening, there).mean()
        return (every * there).sum() / there.sum() + FOLLOWING * (1 - following)


def _correlations(first: Tensor, second: Tensor, there: Tensor) -> Tensor:
    """Return the correlation (B,) of signals (B, T) over the frames that count."""
    count = there.sum(1, keepdim=True)
    first, second = ((one - (one * there).sum(1, keepdim=True) / count) * there for one in (first, second))
    # A floor, so that signals which hardly move do not count as much as others.
    sizes = (first.pow(2).sum(1) + STILL) * (second.pow(2).sum(1) + STILL)
    return (first * second).sum(1) / sizes.sqrt()


def train_encoder(
    lessons: Sequence[Lesson], aim: Aim, config: AudioToMotionConfig, *, left_out: int, epochs: int, seed: int
) -> dict[str, Tensor]:
    """Train an encoder on the lessons of all folds but one, in this process's threads; return its state."""
    torch.manual_seed(seed)
    dice = np.random.default_rng(seed)
    mine = [lesson for lesson in lessons if lesson.fold != left_out]
    lengths = np.array([len(lesson.columns) for lesson in mine])
    net = SoundEncoder(config)
    steps = max(1, int(epochs * lengths.sum() / (BATCH * WINDOW_FRAMES)))
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    for _ in range(steps):
        chosen = dice.choice(len(mine), BATCH, p=lengths / lengths.sum())
        columns, directions, there = (
            torch.stack(part) for part in zip(*(_window(mine[one], aim, dice) for one in chosen), strict=True)
        )
        loss = aim.loss(net(_spoiled(columns)), directions, there)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return net.eval().state_dict()


def _window(lesson: Lesson, aim: Aim, dice: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Cut out a window, mirrored every other time; short clips repeat their last frame, which then does not count."""
    length = len(lesson.columns)
    count = min(WINDOW_FRAMES, length)
    first, short = int(dice.integers(0, length - count + 1)), WINDOW_FRAMES - count
    columns = padded(lesson.columns, ENCODER_RADIUS, ENCODER_RADIUS)[first : first + count + 2 * ENCODER_RADIUS]
    directions = padded(lesson.directions[first : first + count], 0, short)
    if dice.random() < 0.5:
        directions = directions * aim.mirrored
    return padded(columns, 0, short), directions, torch.arange(WINDOW_FRAMES) < count


def _spoiled(columns: Tensor) -> Tensor:
    count, _, bands = columns.shape
    gain, colour = torch.randn(count, 1, 1) * GAIN, torch.randn(count, 1, bands) * COLOUR
    return columns + gain + colour + torch.randn_like(columns) * NOISE


def mean_of(encoders: Sequence[nn.Module], columns: Tensor) -> Tensor:
    """Return the average mean (T, D) of encoders for a clip's columns (T, A)."""
    with torch.no_grad():
        whole = padded(columns, ENCODER_RADIUS, ENCODER_RADIUS)[None]
        return torch.stack([encoder(whole)[0] for encoder in encoders]).mean(0)


def means_of_strangers(encoders: Sequence[SoundEncoder], lessons: Sequence[Lesson]) -> list[Tensor]:
    """Return the mean (T, D) of each lesson by the encoder that did not learn from its fold."""
    return [mean_of([encoders[lesson.fold]], lesson.columns) for lesson in lessons]


def folds_of(identities: Sequence[str], count: int, seed: int = 3) -> NDArray[np.intp]:
    """Deal clips into folds such that no identity is in two."""
    names = sorted(set(identities))
    dealt = np.random.default_rng(seed).permutation(len(names)) % count
    fold = dict(zip(names, dealt, strict=True))
    return np.array([fold[name] for name in identities])
