"""Least squares with bounds: many right-hand sides for one small matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.models.compiled import compiled

Floats = NDArray[np.floating]
MAX_SWEEPS, TOLERANCE = 500, 1e-7


@compiled
def _descend(matrix: Floats, sides: Floats, found: Floats, max_sweeps: int, tolerance: float) -> None:
    """Minimise along one coordinate after the other until none changes by more than the tolerance."""
    count = matrix.shape[0]
    for row in range(sides.shape[0]):
        for _ in range(max_sweeps):
            largest = 0.0
            for k in range(count):
                rest = sides[row, k]
                for j in range(count):
                    rest -= matrix[k, j] * found[row, j]
                moved = min(1.0, max(0.0, found[row, k] + rest / matrix[k, k]))
                largest = max(largest, abs(moved - found[row, k]))
                found[row, k] = moved
            if largest < tolerance:
                break


def solve_bounded(matrix: Floats, sides: Floats) -> Floats:
    """Return the x (T, K) from 0 to 1 that minimise x A x / 2 - b x, for a positive definite A (K, K) and each b (K,).

    Each row is computed by itself, so it is the same in any batch. Projected coordinate descent converges to the
    minimum, of which there is one (Luo and Tseng 1992).
    """
    found = np.zeros(sides.shape)
    _descend(
        np.ascontiguousarray(matrix, np.float64), np.ascontiguousarray(sides, np.float64), found, MAX_SWEEPS, TOLERANCE
    )
    return found
