"""Facial symmetry: what is hidden in the source, or outside of it, is filled from the other side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.face.model import FaceModel

# Cosines between the skin's normal and the line of sight: below the first a point of the source is not used, above the
# second it is used fully.
GRAZING, FRONTAL = 0.05, 0.35
# Distance from the picture's edge from which a point is used fully, relative to the picture's side.
EDGE_RATIO = 0.02


def facing(points: NDArray[np.floating], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return (N,) cosines between the normals at (N, 3) points and the line of sight; negative if turned away."""
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros((len(points), 3))
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], normals)
    # Triangles are counter-clockwise in (x, y), so normals of skin that faces the camera have positive z.
    return np.asarray(sums[:, 2] / np.maximum(np.linalg.norm(sums, axis=1), 1e-9))


def own_share(points: NDArray[np.floating], model: FaceModel, side_pixels: int) -> NDArray[np.float32]:
    """Return (478,), the share of each point's colour from its own position; the rest is from its mirror point.

    It is 1 if the point is well visible in the source, a square picture of `side_pixels`, or its mirror point is not
    better visible.
    """
    cosine = facing(points, model.triangles)
    ramp = np.clip((cosine - GRAZING) / (FRONTAL - GRAZING), 0, 1)
    share = ramp * ramp * (3 - 2 * ramp)
    share[cosine[model.mirror] <= np.maximum(cosine, FRONTAL)] = 1
    edge = np.minimum(points[:, :2], side_pixels - 1 - points[:, :2]).min(1)
    inside = np.clip(edge / (EDGE_RATIO * side_pixels), 0, 1)
    inside[inside[model.mirror] <= inside] = 1
    return np.asarray(np.minimum(share, inside), np.float32)
