"""The frame decoder in the form that a CPU computes fastest: the same pictures up to rounding.

Norms after convolutions are part of their weights, upsampling is part of transposed convolutions (16 products of 36),
and maps are channels last.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from facepipe.models.packed import PackedConv
from facepipe.models.resampled import after_doubling
from facepipe.renderers.imf.blocks import FeatResBlock, UpConvResBlock
from facepipe.renderers.imf.frame_decoder import FrameDecoder

RELU = 0.0
"""Slope of a leaky ReLU that is a ReLU."""


class FusedResBlock(nn.Module):
    """A `FeatResBlock`. Its first norm remains, as a factor and an offset: the input is needed without it as well."""

    factor: Tensor
    offset: Tensor

    def __init__(self, block: FeatResBlock, dtype: torch.dtype) -> None:
        super().__init__()
        factor, offset = affine(block.norm1)
        self.register_buffer("factor", factor.to(dtype))
        self.register_buffer("offset", offset.to(dtype))
        self.first = PackedConv(folded(block.conv1, block.norm2).to(dtype), RELU)
        self.second = PackedConv(deepcopy(block.conv2).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (B, width, H, W)."""
        inner = torch.addcmul(self.offset, x, self.factor).relu_()
        made: Tensor = self.second(self.first(inner))
        return made.add_(x).relu_()


class FusedUp(nn.Module):
    """An `UpConvResBlock`."""

    def __init__(self, block: UpConvResBlock, dtype: torch.dtype) -> None:
        super().__init__()
        entry = block.entry
        self.entry = PackedConv(after_doubling(folded(entry.conv, entry.norm)).to(dtype), RELU)
        self.conv = PackedConv(deepcopy(block.conv).to(dtype))
        self.blocks = fused_blocks(block.blocks, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        made: Tensor = self.blocks(self.conv(self.entry(x)))
        return made


class FusedFrameDecoder(nn.Module):
    """A `FrameDecoder` with batch norms, in eval mode."""

    def __init__(self, decoder: FrameDecoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.ups = nn.ModuleList(FusedUp(cast("UpConvResBlock", up), dtype) for up in decoder.ups)
        self.refinements = nn.ModuleList(fused_blocks(cast("nn.Sequential", one), dtype) for one in decoder.refinements)
        self.last = PackedConv(deepcopy(decoder.last).to(dtype))

    def forward(self, aligned: Sequence[Tensor]) -> Tensor:
        """Map aligned features, channels last, as `FrameDecoder` does."""
        x, *finer = (maps.to(self.dtype) for maps in aligned[::-1])
        for place, up in enumerate(self.ups):
            x = up(x)
            if place < len(finer):
                x = torch.cat([x, self.refinements[place](finer[place])], 1)
        pictures: Tensor = self.last(x).float().sigmoid_()
        return pictures.mul_(2).sub_(1)


def fused_blocks(blocks: nn.Sequential, dtype: torch.dtype) -> nn.Sequential:
    """Return the fused form of `FeatResBlock`s."""
    return nn.Sequential(*(FusedResBlock(cast("FeatResBlock", block), dtype) for block in blocks))


def folded(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    """Return a convolution that includes the batch norm after it. Those of a loaded file already do."""
    assert isinstance(conv, nn.Conv2d)
    if isinstance(norm, nn.Identity):
        return deepcopy(conv)
    assert isinstance(norm, nn.BatchNorm2d)
    return torch.nn.utils.fuse_conv_bn_eval(conv, norm)


def affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return a batch norm as a factor and an offset, (1, C, 1, 1)."""
    assert isinstance(norm, nn.BatchNorm2d)
    mean, variance = cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)
    factor = norm.weight * (variance + norm.eps).rsqrt()
    offset = norm.bias - mean * factor
    return factor.detach()[None, :, None, None], offset.detach()[None, :, None, None]
