"""Normalisations of feature maps: instance norm steered by a vector, and layer norm over a whole sample."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5
# Width of the hidden layer between the vector and the scales; the same at every size of network.
HIDDEN = 128


class AdaIN(nn.Module):
    """Instance norm whose scale and shift come from a vector (PIRenderer, section 3.2; eq. 3 of Huang and Belongie)."""

    def __init__(self, *, width: int, vector: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Linear(vector, HIDDEN), nn.ReLU())
        self.mlp_gamma = nn.Linear(HIDDEN, width)
        self.mlp_beta = nn.Linear(HIDDEN, width)

    def modulation(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return scale and shift, (B, width) each, for (B, vector); the scale is 1 + gamma."""
        hidden = self.mlp_shared(z)
        return 1 + self.mlp_gamma(hidden), self.mlp_beta(hidden)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Take (B, width, H, W), more than one pixel, and (B, vector)."""
        scale, shift = self.modulation(z)
        return F.instance_norm(x, eps=EPSILON) * scale[..., None, None] + shift[..., None, None]


class LayerNorm(nn.Module):
    """Normalise each sample over channels and pixels together, then scale and shift every channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (B, width, H, W)."""
        return F.group_norm(x, 1, self.weight.flatten(), self.bias.flatten(), EPSILON)
