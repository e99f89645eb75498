"""Fitting: the continuous part of a vector from the differences of two pictures, by damped Gauss-Newton steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facepipe.avatar.picture import Doubles
from facepipe.avatar.vector import AvatarVector
from facepipe.creation.alignment import STEPS, STILL
from facepipe.creation.drawing import Drawing
from facepipe.creation.least_squares import bounded_step, correct, normal_equations
from facepipe.creation.score import LEVELS, halved
from facepipe.creation.target import Floats

SIDE = 128
"""Side of the pictures from which derivatives are taken."""
STEP = 0.06
"""Change of a number by which its derivative is measured."""
SOFTNESS = 0.02
"""Differences of pixels below this count by their squares, larger ones by their absolute values."""
DAMPINGS = (0.001, 0.03, 0.3)
"""Shares of its diagonal that are added to the matrix: from a long step to a short one."""


@dataclass(frozen=True, eq=False)
class Pulls:
    """Bounds of changes (P,), and changes that are wanted whatever the picture."""

    low: Doubles
    high: Doubles
    wanted: Doubles
    strength: Doubles
    """Second derivative of the cost of another change."""


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
    """The derivatives of a picture's difference from a target, measured once and used for several steps."""

    def __init__(
        self,
        drawing: Drawing,
        vector: AvatarVector,
        numbers: Sequence[int],
        inside: Floats,
        alignment: Doubles = STILL,
        *,
        aligned: bool = False,
    ) -> None:
        """Draw one picture for each number.

        Args:
            drawing: Draws the pictures.
            vector: The vector at which derivatives are measured.
            numbers: Indices of its continuous part.
            inside: (2 * SIDE, 2 * SIDE), where the target is known.
            alignment: Of the pictures.
            aligned: Whether to measure derivatives by the alignment, too.
        """
        at = vector.numbers()
        steps: list[float] = [-STEP if at[number] + STEP > 1 else STEP for number in numbers]
        moved = []
        for number, step in zip(numbers, steps, strict=True):
            values = at.copy()
            values[number] += step
            moved.append(vector.with_numbers(values))
        alignments = [alignment] * (1 + len(numbers))
        if aligned:
            moved += [vector] * len(STEPS)
            alignments += list(alignment + np.diag(STEPS))
            steps += STEPS
        first, *pictures = drawing.draw([vector, *moved], alignments, SIDE)
        share = halved(inside[..., None]) / np.float32(255)
        base = first.colour.astype(np.float32)
        columns = [
            features((picture.colour - base) * share) / np.float32(step)
            for picture, step in zip(pictures, steps, strict=True)
        ]
        self._rows = np.ascontiguousarray(np.stack(columns, axis=1))

    def steps(self, subtracted: Floats, pulls: Pulls, dampings: Sequence[float] = DAMPINGS) -> list[Doubles]:
        """Return changes (P,) of the numbers, then of the alignment, that make a difference smaller.

        Args:
            subtracted: The difference (2 * SIDE, 2 * SIDE, 3) of picture and target.
            pulls: What else acts on the changes.
            dampings: Shares of its diagonal that are added to the matrix, one for each change that is returned.
        """
        residuals = features(halved(subtracted))
        matrix, right = normal_equations(self._rows, residuals, _weights(residuals))
        right = right + pulls.strength * pulls.wanted
        return [
            bounded_step(
                matrix + np.diag(damping * matrix.diagonal() + pulls.strength + 1e-9), right, pulls.low, pulls.high
            )
            for damping in dampings
        ]

    def learn(self, change: Doubles, before: Floats, after: Floats) -> None:
        """Correct the derivatives by the differences (2 * SIDE, 2 * SIDE, 3) before and after a change (P,)."""
        if change.any():
            correct(self._rows, change, features(halved(after - before)))
