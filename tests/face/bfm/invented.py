"""Synthetic face model in the published format: small and random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Numbers of vertices, triangles, front triangles and front vertices in the published file.
TRUE_SIZES = (35_709, 70_789, 54_681, 27_660)


def invented_model(
    vertices: int = 80, triangles: int = 120, front: int = 50, front_vertices: int = 40, seed: int = 0
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a BFM_model_front.mat of the given sizes, with vertices on a hemisphere."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(vertices, 3))
    points[:, 2] = abs(points[:, 2])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    # The steps add up to less than one turn, so that the three corners of a triangle differ.
    steps = np.column_stack([rng.integers(vertices, size=triangles), rng.integers(1, vertices // 2, (triangles, 2))])
    corners = steps.cumsum(1) % vertices + 1.0
    return {
        "meanshape": points.reshape(1, -1),
        "idBase": rng.normal(0, 0.02, (3 * vertices, 80)),
        "exBase": rng.normal(0, 0.02, (3 * vertices, 64)),
        "meantex": rng.uniform(60, 220, (1, 3 * vertices)),
        "texBase": rng.normal(0, 2, (3 * vertices, 80)),
        "tri": corners,
        "point_buf": rng.integers(1, triangles + 2, (vertices, 8)).astype(float),
        "tri_mask2": corners[:front],
        "keypoints": rng.permutation(vertices)[None, :68] + 1.0,
        "frontmask2_idx": np.arange(1.0, front_vertices + 1)[:, None],
        "skinmask": np.ones((1, vertices)),
    }
