"""The merged generator in the form that a CPU computes fastest.

A 3x3 convolution of a picture that nearest upsampling has doubled takes four values of the small picture for each
pixel: it is a transposed convolution of the small picture with a 4x4 kernel and stride 2, at 16/36 of the
multiply-accumulates. The result is the same up to rounding.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.renderers.bilayer.config import SLOPE
from facepipe.renderers.bilayer.merging import Affine, MergedBlock, MergedGenerator


def transposed(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Return the transposed convolution that equals a 3x3 convolution after nearest upsampling by two."""
    inputs, outputs, weight = conv.in_channels, conv.out_channels, conv.weight
    made = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, device=weight.device, dtype=weight.dtype)
    # Each value of the small picture is spread over 2x2 pixels, then each pixel over 3x3.
    spread = F.conv_transpose2d(weight.flip(2, 3).flatten(0, 1)[:, None], weight.new_ones(1, 1, 2, 2))
    with torch.no_grad():
        made.weight.copy_(spread.reshape(outputs, inputs, 4, 4).transpose(0, 1))
        cast("Tensor", made.bias).copy_(cast("Tensor", conv.bias))
    return made


class FusedBlock(nn.Module):
    """A `MergedBlock` with its upsampling in a transposed convolution, and fewer passes over the features."""

    def __init__(self, block: MergedBlock) -> None:
        super().__init__()
        self.norm, self.first, self.skip = block.norm, block.first, block.skip
        self.second = transposed(block.second)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        inner = F.leaky_relu(self.first(_activated(self.norm, x)), SLOPE, inplace=True)
        result: Tensor = self.second(inner)
        return result.add_(F.interpolate(self.skip(x), scale_factor=2.0, mode="nearest"))


class FusedGenerator(nn.Module):
    """A merged generator for inference: the same maps, faster on a CPU."""

    def __init__(self, generator: MergedGenerator) -> None:
        """Take the parameters of a generator, which are shared where they stay the same."""
        super().__init__()
        self.blocks = nn.ModuleList(FusedBlock(cast("MergedBlock", block)) for block in generator.blocks)
        self.norm, self.head = generator.norm, generator.head

    def forward(self, poses: Tensor) -> Tensor:
        """Map poses as `MergedGenerator` does."""
        x = poses
        for block in self.blocks:
            x = block(x)
        return cast("Tensor", self.head(_activated(self.norm, x))).tanh_()


def _activated(norm: Affine, x: Tensor) -> Tensor:
    """Return the leaky ReLU of the normalised features in two passes; `x` is not changed."""
    return F.leaky_relu(torch.addcmul(norm.shift, x, norm.scale), SLOPE, inplace=True)


def fastest(generator: MergedGenerator, device: torch.device) -> nn.Module:
    """Return a generator on a device, for inference, in the form and memory format that are fastest there.

    Transposed convolutions are faster where oneDNN computes them; elsewhere nothing was measured.
    """
    on_cpu = device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call, unused-ignore]
    made = FusedGenerator(generator) if on_cpu else generator
    # Convolutions are a quarter faster in this memory format.
    return cast("nn.Module", made.to(device, memory_format=torch.channels_last).eval().requires_grad_(False))  # type: ignore[call-overload]
