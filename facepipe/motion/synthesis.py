"""Speech-driven motion: coefficients of a source that speaks the words of a sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.face.expression_probes import probes_of
from facepipe.face.model import FaceModel
from facepipe.motion.audio_model import FPS, AudioToMotion
from facepipe.motion.features import Features
from facepipe.motion.neutral_delta import neutral_delta_of, resampled, resting, rows_about, with_delta
from facepipe.motion.procedural import ProceduralMotion, blink_depths, blinked, breath, lips_apart, smoothed, speaking
from facepipe.motion.sampling import max_lookahead, sample_motion
from facepipe.spaces.coefficients import Coefficients, joined

Floats = NDArray[np.floating]
POSE = slice(64, 70)

# Frames per block when motion is applied to the source, so that only the result grows with the sound.
BLOCK_FRAMES = 1000


@dataclass(frozen=True)
class SamplingOptions:
    """Options of sampling motion from sound."""

    seed: int = 0
    """Seed of all random numbers of one sample."""
    temperature: float = 1.0
    """Factor on the standard deviation of the flow's latents."""
    expression_strength: float = 1.0
    pose_strength: float = 1.0
    still: bool = False
    """Whether the head keeps the source's pose."""
    lookahead: int = -1
    """Frames of sound (at 25 frames/s) after each frame that influence it; -1 uses as many as the network can."""
    procedural: ProceduralMotion = field(default_factory=ProceduralMotion)


def synthesise(
    model: FaceModel,
    speech: AudioToMotion,
    source: Coefficients,
    features: Features,
    sampling: SamplingOptions,
    *,
    fps: Fraction,
    count: int,
    head: Coefficients | None = None,
) -> Coefficients:
    """Return `count` frames at `fps` of the source (its first frame) speaking the sound of `features` (25 frames/s).

    The head motion is sampled, or taken from `head` relative to its mean pose, played forwards and backwards if it is
    too short.
    """
    generator = torch.Generator().manual_seed(sampling.seed)
    probes, procedural = probes_of(model, source.identity), sampling.procedural
    face, pose = sampled_motion(speech, features, generator, sampling)
    if head is not None:
        pose = _head_motion(head, fps, count, neutral_delta_of(head, probes)[:, POSE])
    else:
        pose = resampled(pose, Fraction(FPS), fps, count)
        if procedural.smooth_head:
            pose = smoothed(pose, float(fps))
        if procedural.breath:
            pose += breath(count, float(fps), generator)
    pose *= 0.0 if sampling.still else sampling.pose_strength
    depths = blink_depths(count, float(fps), generator) if procedural.blinks else None
    rest = resting(source.expression[0], probes) if procedural.resting_lips else source.expression[0]
    activity = speaking(features) if procedural.resting_lips else np.ones(len(features))

    def frames(first: int, end: int) -> Coefficients:
        rows = rows_about(first, end, Fraction(FPS), fps, len(face))
        offsets = speech.expression(face[rows]).astype(np.float64) * activity[rows, None]
        expression_delta = resampled(offsets, Fraction(FPS), fps, end - first, first=first, rows_first=rows.start)
        delta = np.concatenate([expression_delta * sampling.expression_strength, pose[first:end]], axis=1)
        made = with_delta(source, delta, fps, expression=rest)
        expression = lips_apart(made.expression, probes) if procedural.resting_lips else made.expression
        if depths is not None:
            expression = blinked(expression, rest, depths[first:end], probes)
        return made.with_motion(expression, made.angles, made.translation)

    starts = range(0, count, BLOCK_FRAMES)
    return joined((frames(first, min(count, first + BLOCK_FRAMES)) for first in starts), count)


def sampled_motion(
    speech: AudioToMotion, features: Features, generator: torch.Generator, sampling: SamplingOptions
) -> tuple[Floats, Floats]:
    """Sample motion at the rate of `features`: directions (T, D) in standard deviations, and pose deltas (T, 6)."""
    lookahead = max_lookahead(speech) if sampling.lookahead < 0 else sampling.lookahead
    gains = [float(gain) for gain in speech.emphasis] if sampling.procedural.steady_lips else [1.0, 1.0]
    directions = speech.config.directions
    face, pose, done = np.empty((len(features), directions), np.float32), np.empty((len(features), 6)), 0
    blocks = sample_motion(speech, features, generator, temperature=sampling.temperature, lookahead=lookahead)
    for mean, remainder in blocks:
        here = slice(done, done := done + len(mean))
        face[here] = gains[0] * mean + gains[1] * remainder[:, :directions]
        pose[here] = speech.pose(torch.from_numpy(remainder[:, directions:]).float()).double().numpy()
    return face, pose


def _head_motion(head: Coefficients, fps: Fraction, count: int, pose: Floats) -> Floats:
    """Return the pose deltas (T, 6) of another head at `fps`, relative to its first frame."""
    needed = int(np.ceil(float(count * head.fps / fps))) + 1
    there_and_back = np.concatenate([pose, pose[::-1]])
    whole = there_and_back[np.arange(needed) % len(there_and_back)]
    return resampled(whole - pose[:1], head.fps, fps, count)
