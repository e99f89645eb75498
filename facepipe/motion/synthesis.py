"""A voice and a face: the coefficients of a source that says what a sound says."""

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
from facepipe.motion.sampling import draw_motion, longest_lookahead
from facepipe.spaces.coefficients import Coefficients, joined

Floats = NDArray[np.floating]
POSE = slice(64, 70)

# Frames that are laid on the source together, so that only the result grows with the sound.
BLOCK_FRAMES = 1000


@dataclass(frozen=True)
class SamplingOptions:
    """How something is said."""

    seed: int = 0
    """All chance of one sample comes from it."""
    temperature: float = 1.0
    """Factor on the deviation of what is drawn."""
    expression_strength: float = 1.0
    pose_strength: float = 1.0
    still: bool = False
    """Whether the head keeps the source's pose."""
    lookahead: int = -1
    """Frames at 25 frames/s of sound after each frame that have a say in it; -1 is as many as the model can use."""
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
    """Return `count` frames at `fps` in which the source (its first frame) says what `features` (25 frames/s) describe.

    The head moves as drawn, or as that of `head` does about its mean pose, forth and back where that is shorter.
    """
    generator = torch.Generator().manual_seed(sampling.seed)
    probes, procedural = probes_of(model, source.identity), sampling.procedural
    face, pose = drawn_motion(speech, features, generator, sampling)
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
    loud = speaking(features) if procedural.resting_lips else np.ones(len(features))

    def frames(first: int, end: int) -> Coefficients:
        given = rows_about(first, end, Fraction(FPS), fps, len(face))
        offsets = speech.expression(face[given]).astype(np.float64) * loud[given, None]
        away = resampled(offsets, Fraction(FPS), fps, end - first, first=first, rows_first=given.start)
        delta = np.concatenate([away * sampling.expression_strength, pose[first:end]], axis=1)
        made = with_delta(source, delta, fps, expression=rest)
        expression = lips_apart(made.expression, probes) if procedural.resting_lips else made.expression
        if depths is not None:
            expression = blinked(expression, rest, depths[first:end], probes)
        return made.with_motion(expression, made.angles, made.translation)

    begins = range(0, count, BLOCK_FRAMES)
    return joined((frames(first, min(count, first + BLOCK_FRAMES)) for first in begins), count)


def drawn_motion(
    speech: AudioToMotion, features: Features, generator: torch.Generator, sampling: SamplingOptions
) -> tuple[Floats, Floats]:
    """Draw a motion for a sound, at its rate: directions (T, D) in deviations, and deltas of pose (T, 6)."""
    lookahead = longest_lookahead(speech) if sampling.lookahead < 0 else sampling.lookahead
    told, open_ = (float(one) for one in speech.emphasis) if sampling.procedural.steady_lips else (1.0, 1.0)
    directions = speech.config.directions
    face, pose, done = np.empty((len(features), directions), np.float32), np.empty((len(features), 6)), 0
    blocks = draw_motion(speech, features, generator, temperature=sampling.temperature, lookahead=lookahead)
    for mean, remainder in blocks:
        here = slice(done, done := done + len(mean))
        face[here] = told * mean + open_ * remainder[:, :directions]
        pose[here] = speech.pose(torch.from_numpy(remainder[:, directions:]).float()).double().numpy()
    return face, pose


def _head_motion(head: Coefficients, fps: Fraction, count: int, pose: Floats) -> Floats:
    """Return the pose (T, 6) of another's head at a rate, beginning with its first frame's as no motion."""
    needed = int(np.ceil(float(count * head.fps / fps))) + 1
    there_and_back = np.concatenate([pose, pose[::-1]])
    whole = there_and_back[np.arange(needed) % len(there_and_back)]
    return resampled(whole - pose[:1], head.fps, fps, count)
