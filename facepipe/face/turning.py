"""Clips and pictures that stand on their side or head without a tag: the quarter turn that makes faces upright.

An upside-down picture often shows something that both networks take for an upright face. The points of a face stay
where they are if the landmarker sees it through another crop; those of anything else do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, aligned_crop
from facepipe.face.finding import Finder
from facepipe.face.landmarker import FaceLandmarker, Seen
from facepipe.media.grid import turned

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]

QUARTER_TURNS = (90, 180, 270)
# Turns are tried if fewer of the sampled frames show an upright face, after this time and at the end of a clip.
FEW_UPRIGHT_SHARE, EARLY_SECONDS = 0.5, 2.0
# A turn counts if it shows an upright face in this share of the samples, and in more than this many times as many.
TURNED_SHARE, TURNED_FACTOR = 0.4, 2
# A face counts as upright up to this angle: beyond, another quarter turn is nearer, even for a head that is tilted.
UPRIGHT_RADIANS = np.pi / 3
# The other crop, in sides and radians, and the mean distance that the points of a face move by at most, in sides.
# Measured on portraits: 0.003 to 0.009 for faces, 0.033 to 0.07 for what was found in upside-down pictures.
OTHER_SHIFT, OTHER_SCALE, OTHER_TURN, STEADY_DISTANCE = 0.08, 1.12, 0.2, 0.02
SAMPLES, SAMPLE_PIXELS = 3, 640


class Sample(NamedTuple):
    """A frame of a clip, made smaller."""

    number: int
    picture: Picture
    scale: float
    """Its size relative to the frame."""


class FrameSamples:
    """Keeps a few small frames, evenly spread over those that passed."""

    def __init__(self) -> None:
        self.kept: list[Sample] = []
        self.stride = 1

    def passing(self, frames: Iterable[Picture]) -> Iterator[Picture]:
        """Yield the (H, W, 3) uint8 RGB frames unchanged. Fewer than twice `SAMPLES` are kept, made smaller."""
        for number, frame in enumerate(frames):
            if number % self.stride == 0:
                self.kept.append(_reduced(number, frame))
                if len(self.kept) == 2 * SAMPLES:
                    del self.kept[1::2]
                    self.stride *= 2
            yield frame

    @property
    def pictures(self) -> list[Picture]:
        """The kept frames."""
        return [one.picture for one in self.kept]

    def show_upright_faces(self, landmarker: FaceLandmarker, seen: Sequence[Seen]) -> bool:
        """Return True unless few of the samples show an upright face where `seen` has one, a row per frame."""
        own = [(one, seen[one.number]) for one in self.kept if one.number < len(seen)]
        upright = [
            face.score > 0 and is_upright_face(landmarker, one.picture, face.points * one.scale) for one, face in own
        ]
        return not own or float(np.mean(upright)) >= FEW_UPRIGHT_SHARE


def _reduced(number: int, frame: Picture) -> Sample:
    scale = SAMPLE_PIXELS / max(frame.shape[:2])
    if scale >= 1:
        return Sample(number, frame, 1.0)
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    return Sample(number, np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8), scale)


def find_turn(finder: Finder, pictures: Sequence[Picture]) -> int:
    """Return the clockwise turn, in degrees, in which clearly more of the pictures show an upright face; else 0."""
    now, *counts = (upright_count(finder, [turned(one, turn) for one in pictures]) for turn in (0, *QUARTER_TURNS))
    best = max(counts)
    return QUARTER_TURNS[counts.index(best)] if is_clear(best, now, len(pictures)) else 0


def is_clear(count: int, now: int, pictures: int) -> bool:
    """Return True if clearly more of the pictures show an upright face when they are changed than `now`."""
    return count >= max(1.0, TURNED_SHARE * pictures) and count > TURNED_FACTOR * now


def upright_count(finder: Finder, pictures: Iterable[Picture], *, steady: bool = True) -> int:
    """Return how many of the pictures show an upright face, which is `steady` in other crops."""
    return sum(
        any(
            _is_upright(face.crop) and (not steady or _is_steady(finder.landmarker, one, face.crop))
            for face in finder.find(one)
        )
        for one in pictures
    )


def is_upright_face(landmarker: FaceLandmarker, picture: Picture, points: Floats) -> bool:
    """Return True if the (478, 3) points are those of a face in the picture, and it is upright."""
    crop = aligned_crop(points)
    return _is_upright(crop) and _is_steady(landmarker, picture, crop)


def _is_upright(crop: SquareCrop) -> bool:
    return bool(abs((crop.angle_radians + np.pi) % (2 * np.pi) - np.pi) < UPRIGHT_RADIANS)


def _is_steady(landmarker: FaceLandmarker, picture: Picture, crop: SquareCrop) -> bool:
    other = replace(
        crop,
        center_x=crop.center_x + OTHER_SHIFT * crop.side,
        center_y=crop.center_y - OTHER_SHIFT * crop.side,
        side=crop.side * OTHER_SCALE,
        angle_radians=crop.angle_radians + OTHER_TURN,
    )
    first, second = landmarker.locate([picture, picture], [crop, other]).points[..., :2]
    return bool(np.linalg.norm(first - second, axis=1).mean() < STEADY_DISTANCE * crop.side)
