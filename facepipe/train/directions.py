"""The few directions of expression in which faces move most when they speak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology as at
from facepipe.face.model import FaceModel
from facepipe.train.speakers import Speaker

Floats = NDArray[np.floating]

# Points of the mouth count this much more than others where directions of expression are chosen.
MOUTH_WEIGHT = 3.0


def choose_directions(speakers: Sequence[Speaker], model: FaceModel, count: int) -> tuple[Floats, Floats, Floats]:
    """Return the directions of expression in which most of the motion lies: encode (64, D), decode (D, 64), and signs.

    Distances are those of points of the mesh, those of the mouth weighing more; every face is mirrored too. The signs
    (D,) say what a mirror makes of each direction.
    """
    rows, mirror = point_weights(model), mirror_of(model)
    across = np.einsum("enc,n,fnc->ef", model.expression, rows, model.expression)
    root = np.linalg.cholesky(across)
    moved = np.concatenate([one.delta[:, :64] / one.delta[:, :64].std() for one in speakers])
    both = np.concatenate([moved, moved @ mirror])
    _, axes = np.linalg.eigh(root.T @ (both.T @ both) @ root / len(both))
    chosen = axes[:, ::-1][:, :count]
    encode, decode = root @ chosen, chosen.T @ np.linalg.inv(root)
    return np.asarray(encode), np.asarray(decode), np.sign(np.diag(decode @ mirror @ encode))


def point_weights(model: FaceModel) -> Floats:
    """Return how much each point counts (478,) in the choice of directions."""
    weights = np.ones(len(model.mean))
    weights[[*at.LIP_INNER, *at.LIP_OUTER]] = MOUTH_WEIGHT**2
    return np.asarray(weights / weights.sum())


def mirror_of(model: FaceModel) -> Floats:
    """Return the matrix (64, 64) that turns expressions into those of the mirrored face."""
    flipped = model.expression[:, model.mirror] * (-1, 1, 1)
    flat = model.expression.reshape(64, -1)
    return np.asarray(np.linalg.lstsq(flat.T, flipped.reshape(64, -1).T, rcond=None)[0].T)
