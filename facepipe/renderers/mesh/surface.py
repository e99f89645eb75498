"""Surface of the mesh renderer: the face, and rings around it over hair, neck and background."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology
from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity
from facepipe.renderers.mesh.config import MeshConfig

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Surface:
    """Triangles of the whole surface, in the order skin, eyes, mouth, rings."""

    triangles: NDArray[np.int32]
    skin_end: int
    eyes_end: int
    mouth_end: int
    config: MeshConfig

    def ring_points(self, face: Floats, pose: Similarity) -> Floats:
        """Return ((1 + R) * 36, 3), the rings around the (478, 3) points of a face in the one-row `pose`."""
        oval = face[list(topology.FACE_OVAL)]
        middle = oval.mean(0)
        head_depth = pose.apply(np.array([[[0.0, 0.0, self.config.head_depth]]]))[0, 0, 2]
        rings = []
        # The innermost ring is a copy of the oval, so that the depths of all rings can be behind the face.
        for factor, recede in zip((1.0, *self.config.ring_factors), (0.0, *self.config.ring_recedes), strict=True):
            ring = middle + factor * (oval - middle)
            ring[:, 2] = oval[:, 2] + recede * (head_depth - oval[:, 2])
            rings.append(ring)
        return np.concatenate(rings)

    def follow_weights(self, face: Floats) -> Floats:
        """Return ((1 + R) * 36,), the weight with which each ring point follows the head; smaller below the chin."""
        oval = face[list(topology.FACE_OVAL), :2]
        middle = oval.mean(0)
        down = face[topology.CHIN, :2] - middle
        away = oval - middle
        cosine = away @ down / (np.linalg.norm(away, axis=1) * np.linalg.norm(down))
        below = np.clip(cosine, 0, 1) ** 2
        weights = [np.ones(len(oval))]
        for index, follow in enumerate(self.config.ring_follows):
            hold = self.config.neck_hold * min(1.0, (index + 1) / 3)
            weights.append(follow * (1 - hold * below))
        return np.concatenate(weights)

    def expression_weights(self) -> Floats:
        """Return ((1 + R) * 36, 1), the weight with which each ring point follows the oval; 1 for the oval's copy."""
        return np.repeat((1.0, *self.config.ring_expressions), len(topology.FACE_OVAL))[:, None]


def build_surface(model: FaceModel, config: MeshConfig) -> Surface:
    """Return the model's triangles with strips of triangles between the rings."""
    count = len(topology.FACE_OVAL)
    rows = [topology.POINT_COUNT + ring * count + np.arange(count) for ring in range(1 + len(config.ring_factors))]
    strips = []
    for inner, outer in pairwise(rows):
        ahead_inner, ahead_outer = np.roll(inner, -1), np.roll(outer, -1)
        strips += [np.stack([inner, outer, ahead_outer], 1), np.stack([inner, ahead_outer, ahead_inner], 1)]
    parts: list[NDArray[np.int32 | np.intp]] = [model.triangles, model.eye_triangles, model.mouth_triangles, *strips]
    ends = np.cumsum([len(part) for part in parts])
    triangles = np.concatenate(parts).astype(np.int32)
    return Surface(
        triangles=triangles, skin_end=int(ends[0]), eyes_end=int(ends[1]), mouth_end=int(ends[2]), config=config
    )
