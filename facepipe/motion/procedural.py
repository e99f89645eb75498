"""What is added to drawn motion openly, each by a switch: blinks, breath, smooth heads, lips that rest and keep shut.

A flow learns these badly from little data: blinks are rare, silence is rarer, and landmarks tremble.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.face.expression_probes import ExpressionProbes
from facepipe.motion.features import Features

Floats = NDArray[np.floating]

# Blinks as people at rest do: 17 a minute, never two within 0.7 s, none in the first half second.
BLINK_DEAD_SECONDS, BLINK_WAIT_SECONDS, FIRST_BLINK_SECONDS = 0.7, 2.8, 0.5
CLOSING_SECONDS, SHUT_SECONDS, OPENING_SECONDS = 0.10, 0.04, 0.20
# 15 breaths a minute lift the head a little and tilt it back.
BREATH_SECONDS, BREATH_LIFT, BREATH_RADIANS = 4.0, 0.012, 0.006
POSE_SMOOTHING_SECONDS = 0.06
# Frames whose surroundings are no louder are silence.
SILENT_DB, SILENCE_REACH_SECONDS, SILENCE_FADE_SECONDS = -48.0, 0.24, 0.08


@dataclass(frozen=True)
class ProceduralMotion:
    """Which of them are on."""

    blinks: bool = True
    breath: bool = True
    smooth_head: bool = True
    resting_lips: bool = True
    """Lips come to rest in silence, and never pass through each other."""
    steady_lips: bool = True
    """What the sound tells of the face is amplified, and what it leaves open is damped."""


def blink_depths(count: int, fps: float, generator: torch.Generator) -> Floats:
    """Return how far the lids are shut (T,), 0 to 1, by a point process."""
    times = (np.arange(count) + 0.5) / fps
    depth, at = np.zeros(count), FIRST_BLINK_SECONDS + _wait(generator)
    while at < times[-1]:
        during = slice(int(at * fps), int((at + CLOSING_SECONDS + SHUT_SECONDS + OPENING_SECONDS) * fps) + 1)
        since = times[during] - at
        falling = np.clip(since / CLOSING_SECONDS, 0, 1)
        rising = np.clip((since - CLOSING_SECONDS - SHUT_SECONDS) / OPENING_SECONDS, 0, 1)
        depth[during] = np.maximum(depth[during], 0.5 * (np.cos(np.pi * rising) - np.cos(np.pi * falling)))
        at += BLINK_DEAD_SECONDS + _wait(generator)
    return depth


def _wait(generator: torch.Generator) -> float:
    return float(-torch.log(1 - torch.rand((), generator=generator, dtype=torch.float64))) * BLINK_WAIT_SECONDS


def blinked(expression: Floats, resting: Floats, depths: Floats, probes: ExpressionProbes) -> Floats:
    """Shut the lids of expressions (T, 64) as far as `depths` (T,) say, from where `resting` (64,) has them."""
    open_by = np.minimum(probes.lids_down(resting), 0)
    return np.asarray(expression - depths[:, None] * (open_by @ probes.closing))


def breath(count: int, fps: float, generator: torch.Generator) -> Floats:
    """Return what breathing adds to a pose (T, 6): angles, then translation."""
    phase = float(torch.rand((), generator=generator, dtype=torch.float64))
    wave = np.sin(2 * np.pi * (np.arange(count) / fps / BREATH_SECONDS + phase))
    # Beginning from nothing, so that the first frame is the source's own.
    wave *= np.clip(np.arange(count) / fps, 0, 1)
    added = np.zeros((count, 6))
    added[:, 0], added[:, 4] = -BREATH_RADIANS * wave, -BREATH_LIFT * wave
    return added


def smoothed(pose: Floats, fps: float) -> Floats:
    """Smooth poses (T, 6)."""
    # Here, not above: scipy takes a while to load, and a finished job must not wait for it.
    from scipy.ndimage import gaussian_filter1d  # noqa: PLC0415

    return np.asarray(gaussian_filter1d(pose, POSE_SMOOTHING_SECONDS * fps, axis=0, mode="nearest"))


def speaking(features: Features) -> Floats:
    """Return how much is being said (T,): 0 in silence, 1 in speech, with soft edges."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d  # noqa: PLC0415

    fps = float(features.fps)
    heard = (features.energy > SILENT_DB).astype(float) * (not features.silent)
    reached = maximum_filter1d(heard, 2 * round(SILENCE_REACH_SECONDS * fps) + 1, mode="nearest")
    return np.asarray(gaussian_filter1d(reached, SILENCE_FADE_SECONDS * fps, mode="nearest"))


def lips_apart(expression: Floats, probes: ExpressionProbes) -> Floats:
    """Open the mouth of expressions (T, 64) where its lips would pass through each other."""
    through = np.maximum(0, -probes.mouth_open(expression))
    return np.asarray(expression + through[:, None] * probes.opening)
