"""Convolutions merged with the resampling beside them: the same results up to rounding, for 16/36 of the products."""

from __future__ import annotations

from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Conv = TypeVar("Conv", nn.Conv2d, nn.ConvTranspose2d)


def after_doubling(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Return the transposed convolution that equals a 3x3 convolution after nearest upsampling by two.

    A pixel takes four values of the small picture.
    """
    made = nn.ConvTranspose2d(conv.in_channels, conv.out_channels, 4, stride=2, padding=1)
    # Each value of the small picture is spread over 2x2 pixels, then each pixel over 3x3.
    return _with(made, _spread(conv.weight.flip(2, 3)).transpose(0, 1), conv)


def before_halving(conv: nn.Conv2d) -> nn.Conv2d:
    """Return the convolution with stride 2 that equals a 3x3 convolution before average pooling of 2x2 pixels."""
    made = nn.Conv2d(conv.in_channels, conv.out_channels, 4, stride=2, padding=1)
    return _with(made, _spread(conv.weight) / 4, conv)


def _spread(weight: Tensor) -> Tensor:
    """Return 4x4 kernels: the sum of 3x3 ones at four places."""
    outputs, inputs = weight.shape[:2]
    spread = F.conv_transpose2d(weight.flatten(0, 1)[:, None], weight.new_ones(1, 1, 2, 2))
    return spread.reshape(outputs, inputs, 4, 4)


def _with(made: Conv, weight: Tensor, source: nn.Conv2d) -> Conv:
    made.to(device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        made.weight.copy_(weight)
        cast("Tensor", made.bias).copy_(cast("Tensor", source.bias))
    return made.requires_grad_(False)
