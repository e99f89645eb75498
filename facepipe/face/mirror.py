"""Which point takes whose place in a mirror."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import aligned_crop


def aligned_shapes(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (N, 478, 3) points in sides of their aligned crops."""
    return np.stack([aligned_crop(row).normalised(row) for row in points]).astype(np.float32)


def mirror_permutation(points: NDArray[np.floating]) -> NDArray[np.intp]:
    """Find the mirror partner of each of 478 points, by matching the mean of (N, 478, 3) faces with its mirror."""
    # Here, not above: whoever finds no face need not wait for SciPy.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    mean = aligned_shapes(points[:: max(1, len(points) // 2000)]).mean(0)
    mirrored = mean * (-1, 1, 1) + (1, 0, 0)
    distance = np.linalg.norm(mean[None] - mirrored[:, None], axis=-1)
    return np.asarray(linear_sum_assignment(distance**2)[1])
