"""Filling the side of a face that the source does not show from the side that it does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.face.model import FaceModel

# Cosines between skin and line of sight: below the first a point of the source is of no use, above the second as good
# as any.
GRAZING, FRONTAL = 0.05, 0.35


def facing(points: NDArray[np.floating], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return (N,) cosines between the skin at each of (N, 3) points and the line of sight; negative ones look away."""
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros((len(points), 3))
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], normals)
    # Triangles run counter-clockwise in (x, y), so a normal along +z belongs to skin that faces the camera.
    return np.asarray(sums[:, 2] / np.maximum(np.linalg.norm(sums, axis=1), 1e-9))


def own_share(points: NDArray[np.floating], model: FaceModel) -> NDArray[np.float32]:
    """Return (478,) how much of each point's colour comes from its own place in the source, the rest from its mirror.

    1 where the point is seen well, or its mirror point no better.
    """
    cosine = facing(points, model.triangles)
    ramp = np.clip((cosine - GRAZING) / (FRONTAL - GRAZING), 0, 1)
    share = ramp * ramp * (3 - 2 * ramp)
    share[cosine[model.mirror] <= np.maximum(cosine, FRONTAL)] = 1
    return share.astype(np.float32)
