"""Directions of expression that explain most of the motion of speaking faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology as at
from facepipe.face.model import FaceModel
from facepipe.train.speakers import Speaker

Floats = NDArray[np.floating]

# Weight of mouth points, relative to other points, in the choice of directions.
MOUTH_WEIGHT = 3.0


def choose_directions(speakers: Sequence[Speaker], model: FaceModel, count: int) -> tuple[Floats, Floats, Floats]:
    """Return the principal directions of expression of speech: encode (64, D), decode (D, 64) and mirror signs (D,).

    Distances are those of points of the mesh, with more weight on the mouth; every face is used mirrored too. A sign is
    -1 if mirroring the face negates the direction, else 1.
    """
    rows, mirror = point_weights(model), mirror_of(model)
    across = np.einsum("enc,n,fnc->ef", model.expression, rows, model.expression)
    root = np.linalg.cholesky(across)
    deltas = np.concatenate([one.delta[:, :64] / one.delta[:, :64].std() for one in speakers])
    both = np.concatenate([deltas, deltas @ mirror])
    _, axes = np.linalg.eigh(root.T @ (both.T @ both) @ root / len(both))
    chosen = axes[:, ::-1][:, :count]
    encode, decode = root @ chosen, chosen.T @ np.linalg.inv(root)
    return np.asarray(encode), np.asarray(decode), np.sign(np.diag(decode @ mirror @ encode))


def point_weights(model: FaceModel) -> Floats:
    """Return the weight (478,) of each point in the choice of directions."""
    weights = np.ones(len(model.mean))
    weights[[*at.LIP_INNER, *at.LIP_OUTER]] = MOUTH_WEIGHT**2
    return np.asarray(weights / weights.sum())


def mirror_of(model: FaceModel) -> Floats:
    """Return the (64, 64) matrix that maps expressions to those of the mirrored face."""
    flipped = model.expression[:, model.mirror] * (-1, 1, 1)
    flat = model.expression.reshape(64, -1)
    return np.asarray(np.linalg.lstsq(flat.T, flipped.reshape(64, -1).T, rcond=None)[0].T)
