"""Loss of face points, shared by the training of the landmarker and of the renderer."""

from __future__ import annotations

import torch
from torch import Tensor

from facepipe.face import topology

FINE = sorted(
    {
        *topology.RIGHT_EYE,
        *topology.LEFT_EYE,
        *topology.LIP_INNER,
        *topology.LIP_OUTER,
        *topology.RIGHT_IRIS,
        *topology.LEFT_IRIS,
    }
)
UPPER = [*topology.RIGHT_LID_UPPER, *topology.LEFT_LID_UPPER, *topology.LIP_INNER_UPPER]
LOWER = [*topology.RIGHT_LID_LOWER, *topology.LEFT_LID_LOWER, *topology.LIP_INNER_LOWER]
# Weights, relative to a point, of the gaps between lids and lips and (per radian) of the rotation of the face: both are
# small in the positions of points, but expressions and poses are read from them.
GAP_WEIGHT, TURN_WEIGHT = 2.0, 2.0


def turns(error: Tensor, truth: Tensor) -> Tensor:
    """Return (B,) the rotation angle in radians that (B, N, 3) errors apply to the (B, N, 3) truth, for small angles.

    Errors and truth have the same unit. Least squares: the rotation vector w with w x truth nearest to the error.
    """
    arm = truth - truth.mean(1, keepdim=True)
    inertia = arm.square().sum((1, 2))[:, None, None] * torch.eye(3, device=arm.device) - arm.mT @ arm
    moment = torch.linalg.cross(arm, error - error.mean(1, keepdim=True)).sum(1)
    turn: Tensor = torch.linalg.solve(inertia, moment[..., None])[..., 0]
    return turn.square().sum(-1).add(1e-7).sqrt()


def point_loss(points: Tensor, truth: Tensor) -> Tensor:
    """Return (B,) the error of (B, 478, 3) points in outer-eye distances, with weight on fine parts, gaps, rotation."""
    eyes = (truth[:, topology.LEFT_EYE_OUTER] - truth[:, topology.RIGHT_EYE_OUTER]).norm(dim=-1).clamp_min(0.1)
    scale = eyes[:, None, None]
    error = (points - truth) / scale
    distance = (error[..., :2].square().sum(-1) + 1e-5).sqrt() + 0.5 * error[..., 2].abs()
    gaps = GAP_WEIGHT * (error[:, UPPER, :2] - error[:, LOWER, :2]).norm(dim=-1).mean(1)
    turn = TURN_WEIGHT * turns(error, truth / scale)
    loss: Tensor = distance.mean(1) + 0.7 * distance[:, FINE].mean(1) + gaps + turn
    return loss
