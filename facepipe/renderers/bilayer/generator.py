"""The decoder that texture and inference generator share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import (
    AdaptiveBatchNorm,
    AdaptiveSpade,
    ResidualBlock,
    batch_norm,
    convolution,
    leaky,
)
from facepipe.renderers.bilayer.config import widths
from facepipe.renderers.bilayer.projector import Groups, parameters_by_block


class Generator(nn.Module):
    """Residual blocks that double the resolution, an adaptive norm, and convolutions that make the results.

    Args:
        width: Channels at full resolution, and `widest` those at the lowest resolutions.
        widest: The greatest number of channels.
        input_side: Height and width of the input.
        stages: Number of blocks.
        heads: Channels of each result.
        spade: Whether norms scale and shift each pixel (and blocks double before the first convolution), instead of
            each channel (and double after it).
        spectral: Whether convolutions have spectral norm.
    """

    def __init__(
        self,
        *,
        width: int,
        widest: int,
        input_side: int,
        stages: int,
        heads: Sequence[int],
        spade: bool,
        spectral: bool,
    ) -> None:
        super().__init__()

        def norm(channels: int, side: int) -> nn.Module:
            return AdaptiveSpade(channels, side) if spade else AdaptiveBatchNorm(channels)

        self.per_norm = AdaptiveSpade.PREDICTED if spade else AdaptiveBatchNorm.PREDICTED
        self.blocks = nn.ModuleList()
        channels, side = widths(width, widest, stages)[::-1], input_side
        for stage, (inputs, outputs) in enumerate(pairwise(channels)):
            norms = (norm(inputs, side) if stage else batch_norm(inputs), norm(outputs, 2 * side))
            kind = "up" if spade else "up_efficient"
            self.blocks.append(ResidualBlock(inputs, outputs, kind=kind, norms=norms, spectral=spectral))  # type: ignore[arg-type]
            side *= 2
        self.blocks.append(norm(channels[-1], side))
        self.activation = leaky()
        self.heads = nn.ModuleList(
            nn.Sequential(convolution(channels[-1], outputs, spectral=spectral)) for outputs in heads
        )

    def trace(self, x: Tensor, groups: Groups) -> list[Tensor]:
        """Return the output of each block for (B, C, input_side, input_side), and the normalised last one."""
        blocks, last = parameters_by_block(groups, self.per_norm)
        outputs = [x]
        for block, parameters in zip(self.blocks, blocks, strict=False):
            outputs.append(block(outputs[-1], parameters))
        return [*outputs[1:], self.blocks[-1](outputs[-1], *last)]

    def forward(self, x: Tensor, groups: Groups) -> list[Tensor]:
        """Return the results (B, heads[i], S, S), before their output functions."""
        features = self.activation(self.trace(x, groups)[-1])
        return [head(features) for head in self.heads]
