"""What the motion maps have to tell in training: the surface of the face. It gives IMF_D a target of its own.

The released network has none of it.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.motion import Motion

SURFACE_CHANNELS = 6


class Heads(nn.Module):
    """Linear heads of the motion maps at 1/4 and 1/8 of the picture's side."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        self.fine = nn.Conv2d(config.motion_widths[-1], SURFACE_CHANNELS, 1)
        self.coarse = nn.Conv2d(config.key, SURFACE_CHANNELS, 1)

    def forward(self, motion: Motion) -> tuple[Tensor, Tensor]:
        """Return (B, 6, s, s) at 1/4 and 1/8: logits of skin, eyes and mouth, and canonical x, y, z."""
        return self.fine(motion.fine).float(), self.coarse(motion.keys[-1]).float()


def surface_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss of one (B, 6, s, s) surface."""
    masks, face = wanted[:, :3], wanted[:, :3].sum(1, keepdim=True)
    share = functional.binary_cross_entropy_with_logits(found[:, :3], masks)
    gap = (found[:, 3:] - wanted[:, 3:]).abs() * face
    return share + gap.sum() / (3 * face.sum().clamp(min=1))
