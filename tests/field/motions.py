"""Motion with cuts, gaps and travel, in arrays."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from facepipe.face.cropping import SquareCrop
from facepipe.spaces.coefficients import Coefficients

FPS = 25


def moving(x: np.ndarray, size: np.ndarray | float = -1.0) -> Coefficients:
    """Return a head at rest that is at `x` (T,) half sides from the middle of the crop, with a log `size`."""
    count = len(x)
    translation = np.stack([x, np.zeros(count), np.broadcast_to(size, count)], axis=1)
    return Coefficients(
        identity=np.zeros(80),
        expression=np.zeros((count, 64)),
        angles=np.zeros((count, 3)),
        translation=np.asarray(translation, float),
        valid=np.ones(count, bool),
        residual=np.zeros(count),
        fps=Fraction(FPS),
        crop=SquareCrop(127.5, 127.5, 256.0),
        picture_size=(256, 256),
    )


def portrait() -> Coefficients:
    """Return one frame of a head in the middle of its picture."""
    return moving(np.zeros(1))


def without_face(coefficients: Coefficients, *gaps: tuple[int, int]) -> Coefficients:
    """Mark the frames `first` to `end` (exclusive) of each gap as without a face, and spoil their values."""
    valid, place = coefficients.valid.copy(), coefficients.translation.copy()
    for first, end in gaps:
        valid[first:end] = False
        place[first:end] = 9
    return replace(coefficients, valid=valid, translation=place)
