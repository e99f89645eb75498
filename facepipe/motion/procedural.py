"""Procedural motion added to sampled motion: blinks, breathing, head smoothing and resting lips, each optional.

A flow learns these poorly from little data: blinks are rare, silence is rarer, and landmarks jitter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.face.expression_probes import ExpressionProbes
from facepipe.motion.features import Features

Floats = NDArray[np.floating]

# The blink rate of people at rest: 17 per minute, at least 0.7 s apart, none in the first half second.
BLINK_DEAD_SECONDS, BLINK_WAIT_SECONDS, FIRST_BLINK_SECONDS = 0.7, 2.8, 0.5
CLOSING_SECONDS, SHUT_SECONDS, OPENING_SECONDS = 0.10, 0.04, 0.20
# 15 breaths per minute, each lifting the head slightly and tilting it back.
BREATH_SECONDS, BREATH_LIFT, BREATH_RADIANS = 4.0, 0.012, 0.006
POSE_SMOOTHING_SECONDS = 0.06
# A frame is silent if no frame within the reach is louder than this.
SILENT_DB, SILENCE_REACH_SECONDS, SILENCE_FADE_SECONDS = -48.0, 0.24, 0.08


@dataclass(frozen=True)
class ProceduralMotion:
    """The switches of procedural motion."""

    blinks: bool = True
    breath: bool = True
    smooth_head: bool = True
    resting_lips: bool = True
    """Rest the lips in silence, and keep them from passing through each other."""
    steady_lips: bool = True
    """Amplify the motion that sound determines, and damp the sampled remainder."""


def blink_depths(count: int, fps: float, generator: torch.Generator) -> Floats:
    """Return the eyelid closure (T,), 0 (open) to 1 (shut), with blinks from a random point process."""
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
    """Close the eyelids of expressions (T, 64) by `depths` (T,), 0 to 1, from their position in `resting` (64,)."""
    opening = np.minimum(probes.lids_down(resting), 0)
    return np.asarray(expression - depths[:, None] * (opening @ probes.closing))


def breath(count: int, fps: float, generator: torch.Generator) -> Floats:
    """Return the offset that breathing adds to the pose (T, 6): angles in radians, then translation."""
    phase = float(torch.rand((), generator=generator, dtype=torch.float64))
    wave = np.sin(2 * np.pi * (np.arange(count) / fps / BREATH_SECONDS + phase))
    # Faded in from zero, so that the first frame keeps the source's own pose.
    wave *= np.clip(np.arange(count) / fps, 0, 1)
    offset = np.zeros((count, 6))
    offset[:, 0], offset[:, 4] = -BREATH_RADIANS * wave, -BREATH_LIFT * wave
    return offset


def smoothed(pose: Floats, fps: float) -> Floats:
    """Smooth poses (T, 6) over time with a Gaussian."""
    # Imported here because scipy loads slowly, and a job whose results exist does not need it.
    from scipy.ndimage import gaussian_filter1d  # noqa: PLC0415

    return np.asarray(gaussian_filter1d(pose, POSE_SMOOTHING_SECONDS * fps, axis=0, mode="nearest"))


def speaking(features: Features) -> Floats:
    """Return the speech activity (T,): 0 in silence, 1 in speech, with smooth transitions."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d  # noqa: PLC0415

    fps = float(features.fps)
    audible = (features.energy > SILENT_DB).astype(float) * (not features.silent)
    reached = maximum_filter1d(audible, 2 * round(SILENCE_REACH_SECONDS * fps) + 1, mode="nearest")
    return np.asarray(gaussian_filter1d(reached, SILENCE_FADE_SECONDS * fps, mode="nearest"))


def lips_apart(expression: Floats, probes: ExpressionProbes) -> Floats:
    """Open the mouth of expressions (T, 64) where the lips would pass through each other."""
    overlap = np.maximum(0, -probes.mouth_open(expression))
    return np.asarray(expression + overlap[:, None] * probes.opening)
