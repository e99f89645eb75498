"""A voice and a face: the coefficients of a source that says what a sound says."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.face.coefficients import Coefficients
from facepipe.face.model import FaceModel
from facepipe.motion.aids import Aids, blink_depths, blinked, breath, lips_apart, smoothed, speaking
from facepipe.motion.departure import EXPRESSION, departed, departure_of, handles_of, resampled, resting
from facepipe.motion.features import Features
from facepipe.motion.speaking import draw_motion, longest_lookahead
from facepipe.motion.speech import FPS, Speech

Floats = NDArray[np.floating]
POSE = slice(64, 70)


@dataclass(frozen=True)
class Delivery:
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
    aids: Aids = field(default_factory=Aids)


def utter(
    model: FaceModel,
    speech: Speech,
    source: Coefficients,
    features: Features,
    delivery: Delivery,
    *,
    fps: Fraction,
    count: int,
    head: Coefficients | None = None,
) -> Coefficients:
    """Return `count` frames at `fps` in which the source (its first frame) says what `features` (25 frames/s) describe.

    The head moves as drawn, or as that of `head` does about its mean pose, forth and back where that is shorter.
    """
    generator = torch.Generator().manual_seed(delivery.seed)
    handles, aids = handles_of(model, source.identity), delivery.aids
    drawn = drawn_departure(speech, features, generator, delivery)
    rest = source.expression[0]
    if aids.resting_lips:
        rest = resting(rest, handles)
        drawn[:, EXPRESSION] *= speaking(features)[:, None]
    departure = resampled(drawn, Fraction(FPS), fps, count)
    if head is not None:
        departure[:, POSE] = _head_motion(head, fps, count, departure_of(head, handles)[:, POSE])
    elif aids.smooth_head:
        departure[:, POSE] = smoothed(departure[:, POSE], float(fps))
    if aids.breath and head is None:
        departure[:, POSE] += breath(count, float(fps), generator)
    departure[:, POSE] *= 0.0 if delivery.still else delivery.pose_strength
    departure[:, EXPRESSION] *= delivery.expression_strength
    made = departed(source, departure, fps, expression=rest)
    expression = made.expression
    if aids.resting_lips:
        expression = lips_apart(expression, handles)
    if aids.blinks:
        expression = blinked(expression, rest, blink_depths(count, float(fps), generator), handles)
    return made.with_motion(expression, made.angles, made.translation)


def drawn_departure(speech: Speech, features: Features, generator: torch.Generator, delivery: Delivery) -> Floats:
    """Draw a departure (T, 70) for a sound, at its rate."""
    lookahead = longest_lookahead(speech) if delivery.lookahead < 0 else delivery.lookahead
    mean, remainder = draw_motion(speech, features, generator, temperature=delivery.temperature, lookahead=lookahead)
    told, open_ = (float(one) for one in speech.emphasis) if delivery.aids.steady_lips else (1.0, 1.0)
    directions = speech.config.directions
    motion = np.concatenate([told * mean + open_ * remainder[:, :directions], remainder[:, directions:]], axis=1)
    return np.asarray(speech.departure(torch.from_numpy(motion).float()).double().numpy())


def _head_motion(head: Coefficients, fps: Fraction, count: int, pose: Floats) -> Floats:
    """Return the pose (T, 6) of another's head at a rate, beginning with its first frame's as no motion."""
    needed = int(np.ceil(float(count * head.fps / fps))) + 1
    there_and_back = np.concatenate([pose, pose[::-1]])
    whole = there_and_back[np.arange(needed) % len(there_and_back)]
    return resampled(whole - pose[:1], head.fps, fps, count)
