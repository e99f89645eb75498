"""Mirror symmetry of the mesh: the partner of each point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import aligned_crop


def aligned_shapes(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Convert (N, 478, 3) points to units of the side of their aligned crops."""
    return np.stack([aligned_crop(row).normalised(row) for row in points]).astype(np.float32)


def mirror_permutation(points: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the mirror partner (478,) of each point, by matching the mean of (N, 478, 3) faces with its mirror."""
    # Imported here so that only users of a landmarker load SciPy.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    mean = aligned_shapes(points[:: max(1, len(points) // 2000)]).mean(0)
    mirrored = mean * (-1, 1, 1) + (1, 0, 0)
    distance = np.linalg.norm(mean[None] - mirrored[:, None], axis=-1)
    return np.asarray(linear_sum_assignment(distance**2)[1])
