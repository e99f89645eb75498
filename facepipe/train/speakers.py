"""Clips of people who speak: sound features and motion per frame, at the frame rate of the flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.split import Item
from facepipe.face.cropping import SquareCrop, box_of
from facepipe.face.expression_probes import ExpressionProbes
from facepipe.face.fitting import fit
from facepipe.face.model import FaceModel
from facepipe.media.sound import decode_sound
from facepipe.motion.audio_model import FPS
from facepipe.motion.features import Features, features_of, load_features, save_features
from facepipe.motion.neutral_delta import neutral_delta_of, resampled
from facepipe.spaces.coefficients import Coefficients, from_fit

Floats = NDArray[np.floating]

CROP_RATIO = 1.8
# Minimum share of frames with a face: below it, the motion is not known well enough.
MIN_VISIBLE_SHARE = 0.95
MIN_FRAMES = 40


@dataclass(frozen=True)
class Speaker:
    """A clip: T frames at 25 frames/s."""

    name: str
    identity: str
    features: Features
    motion: Coefficients
    """As fitted, blinks included."""
    delta: Floats
    """(T, 70) delta from the neutral face, with the amplitude of this speaker."""

    def __len__(self) -> int:
        return len(self.delta)

    def shifted(self, lag: int) -> Speaker:
        """Return the clip with its sound `lag` frames earlier, without the frames that lose their counterpart."""
        count = len(self) - abs(lag)
        sound, sight = slice(max(lag, 0), max(lag, 0) + count), slice(max(-lag, 0), max(-lag, 0) + count)
        features = self.features
        parts = {name: getattr(features, name)[sound] for name in ("log_mel", "energy", "voicing")}
        motion = self.motion.rows(sight.start, sight.stop)
        return replace(self, features=replace(features, **parts), motion=motion, delta=self.delta[sight])


def read_speakers(
    items: list[Item], labels: Path, cache: Path, model: FaceModel, probes: ExpressionProbes
) -> list[Speaker]:
    """Return the clips with a visible face and audible sound; features are cached in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    speakers = []
    for item in items:
        if item.kind != "clip" or not item.has_sound:
            continue
        features = _features(item, cache / f"{item.path.stem}.features.npz")
        motion = _motion(item, labels / "clips" / f"{item.path.stem}.npz", model, len(features))
        count = min(len(features), len(motion))
        if features.silent or count < MIN_FRAMES or motion.valid.mean() < MIN_VISIBLE_SHARE:
            continue
        parts = {name: getattr(features, name)[:count] for name in ("log_mel", "energy", "voicing")}
        motion = motion.rows(0, count)
        delta = neutral_delta_of(motion, probes)
        speakers.append(Speaker(item.path.stem, item.identity, replace(features, **parts), motion, delta))
    return speakers


def _features(item: Item, path: Path) -> Features:
    if not path.exists():
        save_features(features_of(decode_sound(item.path), Fraction(FPS)), path)
    return load_features(path)


def _motion(item: Item, label: Path, model: FaceModel, longest: int) -> Coefficients:
    """Fit the reference points of a clip, and resample the result to the frame rate of the flow."""
    with np.load(label) as file:
        points, valid = file["points"], file["valid"]
    boxes = np.median([box_of(frame) for frame in points[valid]], axis=0)
    side = CROP_RATIO * float(max(boxes[2] - boxes[0], boxes[3] - boxes[1]))
    crop = SquareCrop(float(boxes[0] + boxes[2]) / 2, float(boxes[1] + boxes[3]) / 2, side)
    given = Fraction(item.fps).limit_denominator(1001)
    rows = from_fit(fit(model, points, valid), valid, fps=given, crop=crop, picture_size=(1, 1))
    count, rate = min(longest, int(len(rows) / given * FPS)), Fraction(FPS)
    motion = (resampled(part, given, rate, count) for part in (rows.expression, rows.angles, rows.translation))
    seen = resampled(valid[:, None].astype(float), given, rate, count)[:, 0] > 0.99
    return replace(rows.rows(0, 1).repeated(count).with_motion(*motion), fps=rate, valid=seen)
