"""The identity embedder: source pictures to embedding maps."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import ResidualBlock, convolution
from facepipe.renderers.bilayer.config import BilayerConfig, stages_between, widths


class IdentityEmbedder(nn.Module):
    """Maps pictures of a person and their stickmen to one embedding map per stage of the generators.

    It has no norms. The second half of the last block has no effect, but the published network contains it.
    """

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        spectral = config.spectral_norm
        stages = stages_between(config.embedding_side, config.side_pixels)
        down = widths(config.embedder_width, config.embedder_widest, stages)
        encoder: list[nn.Module] = [convolution(6, down[0], spectral=spectral)]
        for inputs, outputs in pairwise(down):
            encoder.append(ResidualBlock(inputs, outputs, kind="down", spectral=spectral))
        own = widths(config.texture_width, config.texture_widest, config.texture_stages)[::-1]
        decoder = [
            ResidualBlock(inputs, outputs, kind="same", spectral=spectral)
            for inputs, outputs in zip([down[-1], *own[1:]], own[1:], strict=False)
        ]
        self.net = nn.ModuleDict({"enc": nn.Sequential(*encoder), "dec_blocks": nn.ModuleList(decoder)})

    def forward(self, pictures: Tensor, stickmen: Tensor) -> list[Tensor]:
        """Return the embeddings, each (B, C, 8, 8), of B people.

        Args:
            pictures: (B, N, 3, S, S), N pictures of each person, without background (`masked`).
            stickmen: (B, N, 3, S, S) in [-1, 1], from `facepipe.renderers.bilayer.stickman`.
        """
        x = torch.cat([pictures, stickmen], 2)
        x = self.net["enc"](x.flatten(0, 1)).unflatten(0, x.shape[:2]).mean(1)
        embeddings = []
        for block in cast("nn.ModuleList", self.net["dec_blocks"]):
            features, x = cast("ResidualBlock", block).split(x)
            embeddings.append(features)
        return embeddings


def masked(pictures: Tensor, mattes: Tensor) -> Tensor:
    """Replace the background of pictures in [-1, 1] by black, -1. Mattes are in [0, 1], 1 inside the head."""
    return pictures * mattes - (1 - mattes)
