"""The frame decoder, D_F: pictures from aligned features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facepipe.renderers.imf.blocks import FeatResBlock, UpConvResBlock, conv3
from facepipe.renderers.imf.config import ImfConfig

REFINEMENTS = 3
"""Blocks that refine the aligned features of a level before they are joined to those of the coarser ones."""


class FrameDecoder(nn.Module):
    """Starts at the coarsest level, doubles the side, and takes in the next level; above the finest it only doubles."""

    def __init__(self, config: ImfConfig) -> None:
        super().__init__()
        aligned, norm, width = config.aligned_widths, config.norm, config.width
        # Widths after each doubling: those of motion features up to the finest level, then two more.
        made = (*config.motion_widths[-2::-1], 2 * width, width)
        joined = [there + level for there, level in zip(made, aligned[-2::-1], strict=False)]
        inputs = (aligned[-1], *joined, *made[len(joined) : -1])
        self.ups = nn.ModuleList(UpConvResBlock(*pair, norm) for pair in zip(inputs, made, strict=True))
        self.refinements = nn.ModuleList(
            nn.Sequential(*(FeatResBlock(level, norm) for _ in range(REFINEMENTS))) for level in aligned[-2::-1]
        )
        self.last = conv3(width, 3)

    def forward(self, aligned: Sequence[Tensor]) -> Tensor:
        """Return pictures (B, 3, S, S) in [-1, 1] of aligned features (B, C, H, W), from fine to coarse."""
        x = aligned[-1]
        for place, up in enumerate(self.ups):
            x = up(x)
            if place < len(self.refinements):
                x = torch.cat([x, self.refinements[place](aligned[-2 - place])], 1)
        # The paper's sigmoid gives [0, 1].
        pictures: Tensor = 2 * self.last(x).sigmoid() - 1
        return pictures
