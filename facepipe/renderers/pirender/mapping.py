"""The mapping network: a window of motion coefficients to the vector that steers the other two."""

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
        self.first = nn.Sequential(nn.Conv1d(config.coefficients, config.vector, FIRST_KERNEL))
        for layer in range(self.layers):
            conv = nn.Conv1d(config.vector, config.vector, KERNEL, dilation=DILATION)
            self.add_module(f"encoder{layer}", nn.Sequential(nn.LeakyReLU(SLOPE), conv))

    def forward(self, windows: Tensor) -> Tensor:
        """Take (B, coefficients, T), T at least the configuration's `least_frames`; return (B, vector)."""
        x: Tensor = self.first(windows)
        for layer in range(self.layers):
            x = self.get_submodule(f"encoder{layer}")(x) + F.pad(x, (-DILATION, -DILATION))
        return x.mean(dim=2)
