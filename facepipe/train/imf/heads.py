"""What a token and its motion maps have to tell in training: landmarks, coefficients, and the surface of the face.

The released network has none of it. The heads keep the 32 numbers about motion, and give IMF_D a target of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.landmarker import POINT_COUNT
from facepipe.renderers.compact.config import MOTION_CHANNELS
from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.motion import Motion
from facepipe.train.pirender.losses import EYES, MOUTH

# Weight of the points of eyes and mouth beside those of others.
FINE_POINTS = 5.0
SURFACE_CHANNELS = 6


class Told(NamedTuple):
    """Output of the heads for a batch of frames."""

    points: Tensor
    """(B, 478, 2), x and y; -1 and 1 are the picture's edges."""
    coefficients: Tensor
    """(B, 70)"""
    surfaces: tuple[Tensor, Tensor]
    """(B, 6, s, s) at 1/4 and 1/8 of the side: logits of skin, eyes and mouth, and canonical x, y, z."""


class Heads(nn.Module):
    """Linear heads of the token and of the motion maps at 1/4 and 1/8."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        self.points = nn.Linear(config.token, POINT_COUNT * 2)
        self.coefficients = nn.Linear(config.token, MOTION_CHANNELS)
        self.fine = nn.Conv2d(config.motion_widths[-1], SURFACE_CHANNELS, 1)
        self.coarse = nn.Conv2d(config.key, SURFACE_CHANNELS, 1)

    def forward(self, token: Tensor, motion: Motion) -> Told:
        """Take (B, token) and its motion maps."""
        surfaces = (self.fine(motion.fine).float(), self.coarse(motion.keys[-1]).float())
        with torch.autocast(token.device.type, enabled=False):
            return Told(self.points(token).view(-1, POINT_COUNT, 2), self.coefficients(token), surfaces)


def point_weights() -> Tensor:
    """Return (478,) weights of the points."""
    weights = torch.ones(POINT_COUNT)
    weights[[*EYES, *MOUTH]] = FINE_POINTS
    return weights


def point_targets(points: Tensor, side: int) -> Tensor:
    """Convert (B, 478, 3) points in pixels to (B, 478, 2); -1 and 1 are the picture's edges."""
    return (points[..., :2] * 2 + 1) / side - 1


def surface_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss of one (B, 6, s, s) surface."""
    masks, face = wanted[:, :3], wanted[:, :3].sum(1, keepdim=True)
    share = functional.binary_cross_entropy_with_logits(found[:, :3], masks)
    gap = (found[:, 3:] - wanted[:, 3:]).abs() * face
    return share + gap.sum() / (3 * face.sum().clamp(min=1))
