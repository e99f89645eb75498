"""The discriminator of StyleGAN2: residual blocks, and the spread of a batch as a further channel."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from facepipe.models.stylegan2.layers import EPSILON, Bias, Blur, EqualConv, EqualLinear

GROUP = 4
"""Number of pictures whose spread is measured together."""
LAST_SIDE = 4


class Discriminator(nn.Module):
    """Scores pictures: high for real ones."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        """`widths` are the channels at 4, 8, ... pixels, up to the side of the pictures."""
        super().__init__()
        fine = widths[::-1]
        blocks = [ResidualBlock(inputs, outputs) for inputs, outputs in pairwise(fine)]
        self.convs = nn.Sequential(conv_layer(3, fine[0], 1), *blocks)
        self.final_conv = conv_layer(widths[0] + 1, widths[0], 3)
        self.final_linear = nn.Sequential(
            EqualLinear(widths[0] * LAST_SIDE**2, widths[0], active=True), EqualLinear(widths[0], 1)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, S, S) in about [-1, 1] to scores (B, 1). B is below GROUP or a multiple of it."""
        features = with_spread(self.convs(pictures))
        scores: Tensor = self.final_linear(self.final_conv(features).flatten(1))
        return scores


class ResidualBlock(nn.Module):
    """Two convolutions that halve the side, and a shortcut of 1x1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv_layer(inputs, inputs, 3)
        self.conv2 = conv_layer(inputs, outputs, 3, halve=True)
        self.skip = conv_layer(inputs, outputs, 1, halve=True, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        result: Tensor = (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)
        return result


def conv_layer(inputs: int, outputs: int, kernel: int, *, halve: bool = False, active: bool = True) -> nn.Sequential:
    """Return FIR filter, convolution, bias and leaky ReLU; without `halve` no filter, without `active` no bias."""
    layers: list[nn.Module] = [Blur(((kernel + 1) // 2, (kernel + 1) // 2))] if halve else []
    stride, padding = (2, 0) if halve else (1, kernel // 2)
    layers.append(EqualConv(inputs, outputs, kernel, stride=stride, padding=padding))
    return nn.Sequential(*layers, *[Bias(outputs)] * active)


def with_spread(x: Tensor) -> Tensor:
    """Append to (B, C, H, W) the standard deviation over each group of pictures, averaged to one number a group.

    Pictures whose places differ by a multiple of B / GROUP are a group.
    """
    group = min(len(x), GROUP)
    parts = x.view(group, len(x) // group, *x.shape[1:])
    spread = (parts.var(0, unbiased=False) + EPSILON).sqrt().mean((1, 2, 3))
    return torch.cat([x, spread.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])], dim=1)
