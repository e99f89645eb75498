"""Takes: the motion of an avatar's face and head over time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from facepipe.avatar.units import UNITS
from facepipe.export.avatar_model import Numbers


@dataclass(frozen=True, eq=False)
class Take:
    """The motion of T frames. Raises ValueError if the arrays do not fit together or are not finite."""

    fps: Fraction
    weights: Numbers
    """(T, 52), in the order of UNITS."""
    rotations: Numbers
    """(T, 3, 3), of the head about its joint with the neck, in the avatar's axes."""

    def __post_init__(self) -> None:
        count = len(self.weights)
        if not count or self.weights.shape != (count, len(UNITS)) or self.rotations.shape != (count, 3, 3):
            raise ValueError(
                f"got weights {self.weights.shape} and rotations {self.rotations.shape}, "
                f"expected (T, {len(UNITS)}) and (T, 3, 3) with one frame or more"
            )
        if self.fps <= 0 or not (np.isfinite(self.weights).all() and np.isfinite(self.rotations).all()):
            raise ValueError("got a take with numbers that are not finite, or without a frame rate")

    @property
    def seconds(self) -> Numbers:
        """(T,), float32: the time of each frame. The first is 0."""
        times: Numbers = (np.arange(len(self.weights)) / float(self.fps)).astype(np.float32)
        return times

    @property
    def quaternions(self) -> Numbers:
        """(T, 4), float32: x, y, z, w of length 1. The signs are such that interpolation goes the short way."""
        found = np.array([_quaternion(rotation) for rotation in self.rotations.astype(np.float64)])
        flips = np.where((found[1:] * found[:-1]).sum(axis=1) < 0, -1.0, 1.0)
        signs = np.concatenate([[1.0], np.cumprod(flips)])
        quaternions: Numbers = (found * signs[:, None]).astype(np.float32)
        return quaternions


def _quaternion(rotation: Numbers) -> Numbers:
    """Return x, y, z, w of a rotation (3, 3), w >= 0: the greatest eigenvector of Bar-Itzhack (2000)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    symmetric = np.array(
        [
            [a - e - i, b + d, c + g, h - f],
            [b + d, e - a - i, f + h, c - g],
            [c + g, f + h, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    found: Numbers = np.linalg.eigh(symmetric)[1][:, -1]
    return -found if found[3] < 0 else found
