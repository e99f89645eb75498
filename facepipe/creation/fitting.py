"""Fitting: the continuous part of a vector from the differences of two pictures, by damped Gauss-Newton steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.picture import Doubles
from facepipe.avatar.vector import AvatarVector
from facepipe.creation.drawing import Drawing
from facepipe.creation.least_squares import bounded_step, normal_equations
from facepipe.creation.score import LEVELS, halved
from facepipe.creation.target import Floats

SIDE = 128
"""Side of the pictures from which derivatives are taken."""
STEP = 0.06
"""Change of a number by which its derivative is measured."""
SOFTNESS = 0.02
"""Differences of pixels below this count by their squares, larger ones by their absolute values."""
DAMPINGS = (0.01, 0.1, 1.0)
"""Shares of its diagonal that are added to the matrix: from a long step to a short one."""
Numbers = NDArray[np.intp]


def features(subtracted: Floats) -> Floats:
    """Return a difference of pictures (SIDE, SIDE, 3) at LEVELS scales as one row (R,)."""
    planes = [subtracted]
    for _ in range(LEVELS - 1):
        planes.append(halved(planes[-1]))
    return np.concatenate([plane.ravel() for plane in planes])


def _weights(residuals: Floats) -> Floats:
    """Return the weights (R,) of squares whose sum is about the mean of absolute values over all scales."""
    sizes = [3 * (SIDE >> level) ** 2 for level in range(LEVELS)]
    shares = np.repeat([1 / (LEVELS * size) for size in sizes], sizes).astype(np.float32)
    weights: Floats = shares / np.sqrt(residuals**2 + np.float32(SOFTNESS**2))
    return weights


class Derivatives:
    """The derivatives of the picture of a vector by some of its numbers, measured once and used for several steps."""

    def __init__(self, drawing: Drawing, vector: AvatarVector, numbers: Sequence[int], inside: Floats) -> None:
        """Draw one picture for each of `numbers`, indices of the continuous part. `inside` is of size 2 * SIDE."""
        self.numbers: Numbers = np.array(numbers, np.intp)
        at = vector.numbers()
        steps = np.where(at[self.numbers] + STEP > 1, -STEP, STEP)
        moved = []
        for number, step in zip(self.numbers, steps, strict=True):
            values = at.copy()
            values[number] += step
            moved.append(vector.with_numbers(values))
        first, *pictures = drawing.draw([vector, *moved], SIDE)
        share = halved(inside[..., None]) / np.float32(255)
        base = first.colour.astype(np.float32)
        columns = [
            features((picture.colour - base) * share) / np.float32(step)
            for picture, step in zip(pictures, steps, strict=True)
        ]
        self._rows = np.ascontiguousarray(np.stack(columns, axis=1))

    def steps(
        self, subtracted: Floats, at: Doubles, wanted: Doubles, pull: float, dampings: Sequence[float] = DAMPINGS
    ) -> list[Doubles]:
        """Return continuous parts (CONTINUOUS,) that make a difference of pictures (2 * SIDE, 2 * SIDE, 3) smaller.

        Args:
            subtracted: The picture of `at` minus the target.
            at: The continuous part now.
            wanted: The continuous part that it is pulled to.
            pull: Weight of the mean squared distance from it.
            dampings: Shares of its diagonal that are added to the matrix, one for each step that is returned.
        """
        residuals = features(halved(subtracted))
        matrix, right = normal_equations(self._rows, residuals, _weights(residuals))
        chosen, curvature = self.numbers, 2 * pull / len(at)
        right += curvature * (wanted - at)[chosen]
        low, high = -at[chosen], 1 - at[chosen]
        found = []
        for damping in dampings:
            damped = matrix + np.diag(damping * matrix.diagonal() + curvature + 1e-9)
            values = at.copy()
            values[chosen] += bounded_step(damped, right, low, high)
            found.append(np.clip(values, 0, 1))
        return found
