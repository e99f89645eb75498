"""Closed-form fit of the face model to the landmarks of a whole clip.

Points p of frame t are modelled as `s_t R_t (mean + identity a + expression b_t) + translation_t` (weak perspective)
with unit normal priors on `a`, shared by the clip, and on every `b_t`. Pose and shape are solved in turn; given the
pose, `a` and all `b_t` come from one linear solve, `b_t` eliminated (the Schur complement of the normal equations).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity, similarity_onto
from facepipe.models.rows import row_product

Floats = NDArray[np.float64]

# Standard deviation of a landmark around the model, in outer-eye distances. Larger than the error of one point,
# because errors of neighbouring points are correlated.
NOISE = 0.04
ROUNDS = 3
# A frame whose residual exceeds this multiple of the clip's median does not contribute to the identity.
OUTLIER_RATIO = 3.0
# Small enough for the points of a block to stay in the CPU cache, and memory does not grow with the clip. The block
# size does not change the result.
BLOCK_FRAMES = 32


@dataclass(frozen=True)
class Fit:
    """A fitted clip."""

    identity: Floats
    """(80,)"""
    expression: Floats
    """(T, 64)"""
    pose: Similarity
    residual: Floats
    """(T,) mean distance between model and landmarks in the picture plane, in outer-eye distances."""
    trusted: NDArray[np.bool_]
    """(T,) frames that contributed to the identity."""


def fit(
    model: FaceModel, points: NDArray[np.floating], valid: NDArray[np.bool_], *, identity: Floats | None = None
) -> Fit:
    """Fit the model to (T, N, 3) points, x and y in pixels, z in the same unit; rows that are not `valid` are ignored.

    A given `identity` is kept, and only poses and expressions are fitted. Rows that are not valid receive the
    coefficients of the nearest valid frame. Raises ValueError if no frame is valid.
    """
    there = np.flatnonzero(valid)
    if not len(there):
        raise ValueError("no valid frame to fit")
    solved = _fit_valid(model, points[there], identity)
    nearest = nearest_valid(there, len(points))
    return Fit(
        identity=solved.identity,
        expression=solved.expression[nearest],
        pose=solved.pose.rows(nearest),
        residual=solved.residual[nearest],
        trusted=solved.trusted[nearest] & valid,
    )


def nearest_valid(there: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return, for each of `count` frames, the index in `there` of the nearest valid frame; ties go to the earlier."""
    after = np.clip(np.searchsorted(there, np.arange(count)), 0, len(there) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(abs(there[before] - np.arange(count)) <= abs(there[after] - np.arange(count)), before, after)


@dataclass(frozen=True)
class _System:
    """The part of the normal equations that does not depend on the clip, already solved."""

    to_expression: Floats
    """(3 N, 64) maps offsets from the mean to the expression, for an identity of zero."""
    to_evidence: Floats
    """(80, 3 N) maps the sum of the offsets to the right-hand side of the identity's equations."""
    curvature: Floats
    """(80, 80) contribution of each frame to their left-hand side."""
    cross: Floats
    """(80, 64) expression that best explains each identity direction."""


def _system(model: FaceModel) -> _System:
    root = np.sqrt(model.weights)[:, None] / NOISE
    flat_root = np.repeat(root, 3)
    expression = (model.expression * root).reshape(len(model.expression), -1)
    identity = (model.identity * root).reshape(len(model.identity), -1)
    solved = np.linalg.solve(expression @ expression.T + np.eye(len(expression)), expression)
    cross = identity @ solved.T
    # What of an identity direction no expression can explain.
    seen = identity - cross @ expression
    return _System((solved * flat_root).T.copy(), seen * flat_root, seen @ identity.T, cross)


def _fit_valid(model: FaceModel, points: NDArray[np.floating], identity: Floats | None) -> Fit:
    system, count, size = _system(model), len(points), model.mean.size
    firm = np.flatnonzero(model.pose_weights)  # The other points do not affect the pose.
    shared = np.zeros(len(model.identity)) if identity is None else np.asarray(identity, dtype=np.float64)
    shape = model.shape(shared, np.zeros((1, len(model.expression))))[:, firm]
    alone, residual = np.empty((count, len(model.expression))), np.empty(count)
    trusted = np.ones(count, dtype=bool)
    for _ in range(ROUNDS):
        pose = similarity_onto(shape, points[:, firm].astype(np.float64), model.pose_weights[firm])
        total = np.zeros(size)
        for rows in _blocks(count):
            offset = (pose.rows(rows).undo(points[rows]) - model.mean).reshape(-1, size)
            alone[rows] = row_product(offset, system.to_expression)
            # Add in frame order, so that the sum does not depend on the block size.
            for one in offset[trusted[rows]]:
                total += one
        if identity is None:
            left = trusted.sum() * system.curvature + np.eye(len(shared))
            shared = np.linalg.solve(left, system.to_evidence @ total)
        expression = alone - shared @ system.cross
        shape = np.empty((count, len(firm), 3))
        for rows in _blocks(count):
            whole = model.shape(shared, expression[rows])
            residual[rows] = _mean_distance(pose.rows(rows).apply(whole), points[rows]) / pose.scale[rows]
            shape[rows] = whole[:, firm]
        trusted = residual <= OUTLIER_RATIO * np.median(residual)
    return Fit(identity=shared, expression=expression, pose=pose, residual=residual, trusted=trusted)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, first + BLOCK_FRAMES) for first in range(0, count, BLOCK_FRAMES))


def _mean_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> Floats:
    """Return the mean distance (T,) between two sets of (T, N, 3) points in the picture plane."""
    across, down = first[..., 0] - second[..., 0], first[..., 1] - second[..., 1]
    return np.asarray(np.sqrt(across * across + down * down).mean(1))
