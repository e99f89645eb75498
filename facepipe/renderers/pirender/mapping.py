"""The mapping network: computes the latent vector z, which modulates the other two, from a window of motion."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.renderers.pirender.config import SLOPE, PirenderConfig

FIRST_KERNEL, KERNEL, DILATION = 7, 3, 3


class MappingNet(nn.Module):
    """Convolutions over time, without padding (paper, section 3.1)."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.layers = config.mapping_layers
        self.first = nn.Sequential(nn.Conv1d(config.coefficients, config.latent, FIRST_KERNEL))
        for layer in range(self.layers):
            conv = nn.Conv1d(config.latent, config.latent, KERNEL, dilation=DILATION)
            self.add_module(f"encoder{layer}", nn.Sequential(nn.LeakyReLU(SLOPE), conv))

    def forward(self, windows: Tensor) -> Tensor:
        """Take (B, coefficients, T), with T at least `min_frames` of the config; return (B, latent)."""
        x: Tensor = self.first(windows)
        for layer in range(self.layers):
            x = self.get_submodule(f"encoder{layer}")(x) + F.pad(x, (-DILATION, -DILATION))
        return x.mean(dim=2)
