"""Normalisation of feature maps: adaptive instance norm, and layer norm over a whole sample."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5
# Width of the hidden layer between the vector and the scales, the same in networks of all sizes.
HIDDEN = 128


class AdaIN(nn.Module):
    """Instance norm with scale and shift predicted from a vector (PIRenderer, sec. 3.2; Huang and Belongie, eq. 3)."""

    def __init__(self, *, width: int, latent: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Linear(latent, HIDDEN), nn.ReLU())
        self.mlp_gamma = nn.Linear(HIDDEN, width)
        self.mlp_beta = nn.Linear(HIDDEN, width)

    def modulation(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return scale (1 + gamma) and shift, each (B, width), for `z` of (B, latent)."""
        hidden = self.mlp_shared(z)
        return 1 + self.mlp_gamma(hidden), self.mlp_beta(hidden)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Normalise `x`, (B, width, H, W) with more than one pixel, with scale and shift from `z`, (B, latent)."""
        scale, shift = self.modulation(z)
        return F.instance_norm(x, eps=EPSILON) * scale[..., None, None] + shift[..., None, None]


class LayerNorm(nn.Module):
    """Normalises each sample over channels and pixels together, then scales and shifts each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        return F.group_norm(x, 1, self.weight.flatten(), self.bias.flatten(), EPSILON)
