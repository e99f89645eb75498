"""Building blocks shared by our small convolutional networks."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn


def conv_norm(inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> tuple[nn.Module, ...]:
    """Return a convolution without bias and its batch norm, to be folded into one for inference."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(outputs)


class InvertedResidual(nn.Module):
    """Widen, filter each channel by 3x3, narrow, add (MobileNetV2, section 3)."""

    def __init__(self, width: int, *, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.body = nn.Sequential(
            *conv_norm(width, inner, kernel=1),
            nn.ReLU(),
            *conv_norm(inner, inner, kernel=3, groups=inner),
            nn.ReLU(),
            *conv_norm(inner, width, kernel=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (B, width, H, W)."""
        return x + cast("Tensor", self.body(x))


def fold_norms(module: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution defined right before it, in place; the module is in eval mode then."""
    module.eval()
    parts = list(module.named_children())
    for _, child in parts:
        fold_norms(child)
    for (name, conv), (norm_name, norm) in pairwise(parts):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, torch.nn.utils.fuse_conv_bn_eval(conv, norm))
            setattr(module, norm_name, nn.Identity())
    return module
