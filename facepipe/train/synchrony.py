"""Test whether lips and voice of a clip belong together, without any network.

Lips of a speaker move while vowels are loud, and open as vowels begin. Both are measured as correlations with the
power between 250 and 2500 Hz, and summed at each lag. A clip is in sync if at most one in ten windows of other people's
sound reaches, at any lag, the highest sum of the clip's own sound.
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

MAX_LAG_FRAMES = 6
# The sound of other people is concatenated and cut into windows of the clip's length at this hop.
HOP_FRAMES = 25
MAX_CHANCE = 0.1
VOWEL_BANDS = slice(2, 25)
"""Feature bands with centres between 250 and 2500 Hz."""


@dataclass(frozen=True)
class Synchrony:
    """Result of the test for a clip."""

    chance: float
    """Share of windows of other people's sound that match the lips at least as well as the clip's own."""
    lag_frames: int
    """Delay of the sound; negative if it is early."""

    @property
    def together(self) -> bool:
        """Whether lips and voice belong together."""
        return self.chance <= MAX_CHANCE


def synchrony_of(speaker: Speaker, others: Sequence[Speaker], probes: ExpressionProbes) -> Synchrony:
    """Compare a clip's sound with that of the people in `others` who have another identity."""
    lips = _lips(speaker.delta[:, :64] @ probes.mouth)
    others_sound = [_voice(one.features) for one in others if one.identity != speaker.identity]
    own = _sums(lips, _voice(speaker.features)[:, None])[0]
    joined = np.concatenate(others_sound, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(joined, len(speaker), axis=1)[:, ::HOP_FRAMES]
    reached = _sums(lips, windows).max(1)
    return Synchrony(float((reached >= own.max()).mean()), int(own.argmax()) - MAX_LAG_FRAMES)


def _lips(mouth_open: Floats) -> Floats:
    """Return the speed of the lips and their opening speed, (2, T)."""
    return np.stack([np.abs(np.gradient(mouth_open)), _rise(mouth_open)])


def _voice(features: Features) -> Floats:
    """Return the loudness of vowels and its rate of change, (2, T)."""
    loud = features.log_mel[:, VOWEL_BANDS].astype(float).mean(1)
    return np.stack([loud, _rise(loud)])


def _rise(line: Floats) -> Floats:
    return np.asarray(np.gradient(gaussian_filter1d(line, 1.0, mode="nearest")))


def _sums(lips: Floats, voices: Floats) -> Floats:
    """Return the sum of both correlations, (N, lags), of lips (2, T) and voices (2, N, T); the latest sound is last."""
    max_lag = MAX_LAG_FRAMES
    lips = _normalised(lips[:, max_lag : lips.shape[1] - max_lag])
    windows = _normalised(np.lib.stride_tricks.sliding_window_view(voices, lips.shape[1], axis=2))
    return np.asarray(np.einsum("snlt,st->nl", windows, lips))


def _normalised(lines: Floats) -> Floats:
    centred = lines - lines.mean(-1, keepdims=True)
    return np.asarray(centred / (np.linalg.norm(centred, axis=-1, keepdims=True) + 1e-9))
