"""Head pose: rotation matrices and angles, and the similarity that maps one set of points to another.

Axes: x to the right of the picture, y down, z away from the camera. A rotation is R = Rz(roll) Ry(yaw) Rx(pitch),
applied to column vectors. As seen by the viewer, positive yaw turns the nose to the left of the picture (towards -x),
positive pitch turns it down, positive roll tilts the head clockwise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Similarity(NamedTuple):
    """Maps canonical points p to `scale * rotation @ p + translation`, one row per frame."""

    scale: Floats
    """(T,)"""
    rotation: Floats
    """(T, 3, 3)"""
    translation: Floats
    """(T, 3)"""

    def apply(self, points: Floats) -> Floats:
        """Map (T or 1, N, 3) canonical points."""
        matrix = self.scale[:, None, None] * self.rotation
        return np.asarray(points @ matrix.transpose(0, 2, 1) + self.translation[:, None])

    def undo(self, points: Floats) -> Floats:
        """Map (T, N, 3) points back to canonical points."""
        return np.asarray((points - self.translation[:, None]) @ (self.rotation / self.scale[:, None, None]))

    def rows(self, index: slice | NDArray[np.intp]) -> Similarity:
        """Return the similarities of the selected frames."""
        return Similarity(self.scale[index], self.rotation[index], self.translation[index])


def similarity_onto(canonical: Floats, points: Floats, weights: Floats) -> Similarity:
    """Return the least-squares similarities from (T or 1, N, 3) canonical points to (T, N, 3) points.

    `weights` (N,) must be non-negative. Closed form of Umeyama (1991), for all frames at once.
    """
    share = weights / weights.sum()
    middle = np.einsum("n,tnk->tk", share, canonical)
    target = np.einsum("n,tnk->tk", share, points)
    centred, centred_target = canonical - middle[:, None], points - target[:, None]
    covariance = (centred_target * share[:, None]).transpose(0, 2, 1) @ centred
    left, strengths, right = np.linalg.svd(covariance)
    handed = np.ones_like(strengths)
    handed[:, 2] = np.sign(np.linalg.det(left @ right))
    rotation = (left * handed[:, None]) @ right
    scale = (strengths * handed).sum(1) / np.einsum("n,tnk,tnk->t", share, centred, centred)
    translation = target - scale[:, None] * np.einsum("tij,tj->ti", rotation, np.broadcast_to(middle, target.shape))
    return Similarity(scale=scale, rotation=rotation, translation=translation)


def rotation_of(angles: Floats) -> Floats:
    """Return the (T, 3, 3) rotations of (T, 3) angles: pitch, yaw, roll in radians."""
    pitch, yaw, roll = np.moveaxis(np.asarray(angles, dtype=np.float64), -1, 0)
    zero, one = np.zeros_like(pitch), np.ones_like(pitch)

    def matrix(*rows: tuple[Floats, Floats, Floats]) -> Floats:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    about_x = matrix((one, zero, zero), (zero, np.cos(pitch), -np.sin(pitch)), (zero, np.sin(pitch), np.cos(pitch)))
    about_y = matrix((np.cos(yaw), zero, np.sin(yaw)), (zero, one, zero), (-np.sin(yaw), zero, np.cos(yaw)))
    about_z = matrix((np.cos(roll), -np.sin(roll), zero), (np.sin(roll), np.cos(roll), zero), (zero, zero, one))
    return about_z @ about_y @ about_x


def angles_of(rotation: Floats) -> Floats:
    """Return (T, 3) pitch, yaw, roll in radians of (T, 3, 3) rotations; yaw is in [-pi/2, pi/2]."""
    yaw = -np.arcsin(np.clip(rotation[..., 2, 0], -1, 1))
    pitch = np.arctan2(rotation[..., 2, 1], rotation[..., 2, 2])
    roll = np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])
    return np.stack([pitch, yaw, roll], axis=-1)
