"""The discriminator of training: scores of patches."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import ResidualBlock, batch_norm, convolution, leaky
from facepipe.renderers.bilayer.config import BilayerConfig, stages_between, widths


class Judged(NamedTuple):
    """Scores and features of pictures."""

    scores: Tensor
    """(B, 1, 8, 8)"""
    features: list[Tensor]
    """One (B, C, H, W) per block."""


class Discriminator(nn.Module):
    """Judges patches of pictures, each beside the stickman of its keypoints."""

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        halvings = stages_between(config.discriminator_side, config.side_pixels)
        sizes = widths(config.discriminator_width, config.discriminator_widest, config.discriminator_blocks)
        spectral = config.spectral_norm
        blocks = [
            ResidualBlock(
                inputs,
                outputs,
                kind="down" if index < halvings else "same",
                norms=(batch_norm(inputs), batch_norm(outputs)),
                spectral=spectral,
            )
            for index, (inputs, outputs) in enumerate(pairwise(sizes))
        ]
        self.net = nn.ModuleDict(
            {
                "first_conv": convolution(6, sizes[0], spectral=spectral),
                "blocks": nn.ModuleList(blocks),
                "final_block": nn.Sequential(batch_norm(sizes[-1]), leaky()),
                "linear": convolution(sizes[-1], 1, kernel=1, spectral=spectral),
            }
        )

    def forward(self, pictures: Tensor, stickmen: Tensor) -> Judged:
        """Judge (B, 3, S, S) pictures with the stickmen of their keypoints, both in [-1, 1]."""
        x = self.net["first_conv"](torch.cat([pictures, stickmen], 1))
        features = []
        for block in cast("nn.ModuleList", self.net["blocks"]):
            kept, x = cast("ResidualBlock", block).split(x)
            features.append(kept)
        return Judged(self.net["linear"](self.net["final_block"](x)), features)

    def compare(self, real: Tensor, fake: Tensor, stickmen: Tensor) -> tuple[Judged, Judged]:
        """Judge real and generated pictures of the same keypoints in one batch: batch norms see both."""
        judged = self(torch.cat([real, fake]), torch.cat([stickmen, stickmen]))
        halves = [judged.scores.chunk(2), *(features.chunk(2) for features in judged.features)]
        first, second = zip(*halves, strict=True)
        return Judged(first[0], list(first[1:])), Judged(second[0], list(second[1:]))
