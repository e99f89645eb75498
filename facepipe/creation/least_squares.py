"""Least squares within bounds, whose results do not depend on the processor or on threads, as those of BLAS do."""

from __future__ import annotations

import numpy as np

from facepipe.avatar.mesh import Floats
from facepipe.avatar.picture import Doubles
from facepipe.models.compiled import compiled

SWEEPS = 200
SMALLEST = 1e-9


@compiled
def normal_equations(rows: Floats, residuals: Floats, weights: Floats) -> tuple[Doubles, Doubles]:
    """Return the matrix (P, P) and the right side (P,) of the step that makes weighted squares of residuals least.

    `rows` (R, P) are the derivatives of the residuals (R,), and `weights` (R,) those of their squares.
    """
    count = rows.shape[1]
    matrix, right = np.zeros((count, count)), np.zeros(count)
    for r in range(rows.shape[0]):
        if weights[r] == 0:
            continue
        for i in range(count):
            first = weights[r] * rows[r, i]
            if first != 0:
                right[i] -= first * residuals[r]
                for j in range(i, count):
                    matrix[i, j] += first * rows[r, j]
    for i in range(count):
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    return matrix, right


@compiled
def bounded_step(matrix: Doubles, right: Doubles, low: Doubles, high: Doubles) -> Doubles:
    """Return the step (P,) in [low, high] that minimises half of s A s - b s, by coordinate descent.

    The matrix A (P, P) must be positive definite. `low` must not be above 0, nor `high` below.
    """
    step = np.zeros(len(right))
    for _ in range(SWEEPS):
        largest = 0.0
        for i in range(len(right)):
            slope = right[i]
            for j in range(len(right)):
                slope -= matrix[i, j] * step[j]
            moved = min(max(step[i] + slope / max(matrix[i, i], SMALLEST), low[i]), high[i])
            largest = max(largest, abs(moved - step[i]))
            step[i] = moved
        if largest < 1e-7:
            break
    return step


@compiled
def correct(rows: Floats, change: Doubles, differences: Floats) -> None:
    """Make derivatives (R, P) in place such that a change (P,) gives the differences (R,) that it gave.

    This is Broyden's update: derivatives across the change stay (Broyden 1965).
    """
    size = 0.0
    for i in range(len(change)):
        size += change[i] * change[i]
    for r in range(rows.shape[0]):
        missing = float(differences[r])
        for i in range(len(change)):
            missing -= rows[r, i] * change[i]
        for i in range(len(change)):
            rows[r, i] += missing * change[i] / size
