"""An invented face model of the published form: random, small, nobody's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def invented_model(vertices: int = 80, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return the arrays of a BFM_model_front.mat of so many vertices on a half sphere."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(vertices, 3))
    points[:, 2] = abs(points[:, 2])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    triangles = np.stack([rng.permutation(vertices)[:3] for _ in range(120)]) + 1.0
    return {
        "meanshape": points.reshape(1, -1),
        "idBase": rng.normal(0, 0.02, (3 * vertices, 80)),
        "exBase": rng.normal(0, 0.02, (3 * vertices, 64)),
        "meantex": rng.uniform(60, 220, (1, 3 * vertices)),
        "texBase": rng.normal(0, 2, (3 * vertices, 80)),
        "tri": triangles,
        "point_buf": rng.integers(1, 122, (vertices, 8)).astype(float),
        "tri_mask2": triangles[:50],
        "keypoints": rng.permutation(vertices)[None, :68] + 1.0,
        "frontmask2_idx": np.arange(1.0, 41)[:, None],
        "skinmask": np.ones((1, vertices)),
    }
