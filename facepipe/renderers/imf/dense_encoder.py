"""The dense feature encoder, E_F: features of the source at each level."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from facepipe.renderers.imf.blocks import DownConvResBlock, Entry
from facepipe.renderers.imf.config import ImfConfig

STEM_KERNEL = 7


class DenseEncoder(nn.Module):
    """A stem at full resolution, and one block per halving."""

    def __init__(self, config: ImfConfig) -> None:
        super().__init__()
        widths = (config.width, config.width, *config.feature_widths)
        self.stem = Entry(3, config.width, config.norm, kernel=STEM_KERNEL)
        self.blocks = nn.ModuleList(DownConvResBlock(*pair, config.norm) for pair in pairwise(widths))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return features (B, C, H, W) at each level, from fine to coarse, of pictures (B, 3, S, S) in [-1, 1]."""
        x, features = self.stem(pictures), []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return features[1:]
