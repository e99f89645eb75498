"""Whether lips and voice of a clip belong together, told without any network.

Lips that speak move while vowels are loud, and open as they begin. Both are correlations with the power between 250 and
2500 Hz, added up at each lag. A clip is in sync if no more than one in ten stretches of other people's sounds reaches
as high a sum at any lag as its own sound does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from facepipe.face.expression_probes import ExpressionProbes
from facepipe.motion.features import Features
from facepipe.train.speakers import Speaker

Floats = NDArray[np.floating]

LARGEST_LAG_FRAMES = 6
# Strangers' sounds are joined, and a stretch of the clip's length begins every so many frames.
HOP_FRAMES = 25
LARGEST_CHANCE = 0.1
VOWEL_BANDS = slice(2, 25)
"""Bands of the features with their middle between 250 and 2500 Hz."""


@dataclass(frozen=True)
class Synchrony:
    """What the test says of a clip."""

    chance: float
    """Share of strangers' sounds that go with the lips at least as well as the clip's own."""
    lag_frames: int
    """By how much the sound comes late."""

    @property
    def together(self) -> bool:
        """Whether lips and voice belong together."""
        return self.chance <= LARGEST_CHANCE


def synchrony_of(speaker: Speaker, others: Sequence[Speaker], probes: ExpressionProbes) -> Synchrony:
    """Test a clip against the sounds of those of `others` who are not the same person."""
    lips = _lips(speaker.delta[:, :64] @ probes.mouth)
    strangers = [_voice(one.features) for one in others if one.identity != speaker.identity]
    own = _sums(lips, _voice(speaker.features)[:, None])[0]
    joined = np.concatenate(strangers, axis=1)
    stretches = np.lib.stride_tricks.sliding_window_view(joined, len(speaker), axis=1)[:, ::HOP_FRAMES]
    reached = _sums(lips, stretches).max(1)
    return Synchrony(float((reached >= own.max()).mean()), int(own.argmax()) - LARGEST_LAG_FRAMES)


def _lips(mouth_open: Floats) -> Floats:
    """Return how fast the lips move either way and how fast they open, (2, T)."""
    return np.stack([np.abs(np.gradient(mouth_open)), _rise(mouth_open)])


def _voice(features: Features) -> Floats:
    """Return how loud vowels are and how fast they become louder, (2, T)."""
    loud = features.log_mel[:, VOWEL_BANDS].astype(float).mean(1)
    return np.stack([loud, _rise(loud)])


def _rise(line: Floats) -> Floats:
    return np.asarray(np.gradient(gaussian_filter1d(line, 1.0, mode="nearest")))


def _sums(lips: Floats, voices: Floats) -> Floats:
    """Return the sum of both correlations, (N, lags), of lips (2, T) with voices (2, N, T); later sound is last."""
    most = LARGEST_LAG_FRAMES
    lips = _normalised(lips[:, most : lips.shape[1] - most])
    windows = _normalised(np.lib.stride_tricks.sliding_window_view(voices, lips.shape[1], axis=2))
    return np.asarray(np.einsum("snlt,st->nl", windows, lips))


def _normalised(lines: Floats) -> Floats:
    centred = lines - lines.mean(-1, keepdims=True)
    return np.asarray(centred / (np.linalg.norm(centred, axis=-1, keepdims=True) + 1e-9))
