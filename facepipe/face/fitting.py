"""Closed-form fit of the face model to the landmarks of a whole clip.

Points p of frame t are modelled as `s_t R_t (mean + identity a + expression b_t) + translation_t` (weak perspective)
with unit normal priors on `a`, shared by the clip, and on every `b_t`. Pose and shape are solved in turn; given the
pose, `a` and all `b_t` come from one linear solve, `b_t` eliminated (the Schur complement of the normal equations).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity, similarity_onto

Floats = NDArray[np.float64]

# Standard deviation of a landmark around the model, in outer-eye distances. Larger than the error of one point,
# because errors of neighbouring points go together.
NOISE = 0.04
ROUNDS = 3
# A frame whose residual is this many times the clip's median no longer counts for the identity.
OUTLIER_RATIO = 3.0


@dataclass(frozen=True)
class Fit:
    """A fitted clip."""

    identity: Floats
    """(80,)"""
    expression: Floats
    """(T, 64)"""
    pose: Similarity
    residual: Floats
    """(T,) mean distance of model and landmarks in the picture plane, in outer-eye distances of the frame's scale."""
    trusted: NDArray[np.bool_]
    """(T,) frames that counted for the identity."""


def fit(
    model: FaceModel, points: NDArray[np.floating], valid: NDArray[np.bool_], *, identity: Floats | None = None
) -> Fit:
    """Fit (T, 478, 3) points, x and y in pixels, z in the same unit; rows that are not `valid` do not count.

    With `identity` given it is kept, and only poses and expressions are fitted. Rows that are not valid get the
    coefficients of the nearest valid frame. Needs one valid frame at least.
    """
    there = np.flatnonzero(valid)
    if not len(there):
        raise ValueError("no valid frame to fit")
    solved = _fit_valid(model, np.asarray(points[there], dtype=np.float64), identity)
    nearest = _nearest(there, len(points))
    return Fit(
        identity=solved.identity,
        expression=solved.expression[nearest],
        pose=Similarity(*(part[nearest] for part in solved.pose)),
        residual=solved.residual[nearest],
        trusted=solved.trusted[nearest] & valid,
    )


def _nearest(there: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return for each of `count` frames the place in `there` of the nearest valid frame, the earlier one on a tie."""
    after = np.clip(np.searchsorted(there, np.arange(count)), 0, len(there) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(abs(there[before] - np.arange(count)) <= abs(there[after] - np.arange(count)), before, after)


def _fit_valid(model: FaceModel, points: Floats, identity: Floats | None) -> Fit:
    root = np.sqrt(model.weights)[:, None] / NOISE
    expression_rows = (model.expression * root).reshape(len(model.expression), -1)
    identity_rows = (model.identity * root).reshape(len(model.identity), -1)
    solve_expression = np.linalg.solve(
        expression_rows @ expression_rows.T + np.eye(len(expression_rows)), expression_rows
    )
    # What of an identity direction no expression can explain.
    cross = identity_rows @ solve_expression.T
    seen = identity_rows - cross @ expression_rows
    curvature = seen @ identity_rows.T
    shared = np.zeros(len(model.identity)) if identity is None else np.asarray(identity, dtype=np.float64)
    shape, trusted = model.shape(shared, np.zeros((1, len(model.expression)))), np.ones(len(points), dtype=bool)
    for _ in range(ROUNDS):
        pose = similarity_onto(shape, points, model.pose_weights)
        canonical = pose.undo(points)
        offset = ((canonical - model.mean) * root).reshape(len(points), -1)
        if identity is None:
            evidence = seen @ offset[trusted].sum(0)
            shared = np.linalg.solve(trusted.sum() * curvature + np.eye(len(curvature)), evidence)
        expression = (offset - shared @ identity_rows) @ solve_expression.T
        shape = model.shape(shared, expression)
        residual = np.linalg.norm((pose.apply(shape) - points)[..., :2], axis=-1).mean(1) / pose.scale
        trusted = residual <= OUTLIER_RATIO * np.median(residual)
    return Fit(identity=shared, expression=expression, pose=pose, residual=residual, trusted=trusted)
