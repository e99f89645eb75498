"""Building blocks of the small convolutional networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn


def conv_norm(inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> tuple[nn.Module, ...]:
    """Return a convolution without bias and its batch norm, which `fold_norms` merges for inference."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(outputs)


class InvertedResidual(nn.Module):
    """Inverted residual block: 1x1 expansion, 3x3 depthwise, 1x1 projection, skip (MobileNetV2, section 3)."""

    def __init__(self, width: int, *, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.body = nn.Sequential(
            *conv_norm(width, inner, kernel=1),
            nn.ReLU(inplace=True),
            *conv_norm(inner, inner, kernel=3, groups=inner),
            nn.ReLU(inplace=True),
            *conv_norm(inner, width, kernel=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        return x + cast("Tensor", self.body(x))


def double(x: Tensor) -> Tensor:
    """Repeat each cell of (B, C, H, W) twice in height and width."""
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _normed(net: nn.Module) -> Iterator[tuple[nn.Module, str, str, str]]:
    """Yield (parent module, its name as prefix, convolution name, norm name) for each convolution and its batch norm.

    A batch norm belongs to the convolution that is defined right before it.
    """
    for prefix, part in net.named_modules():
        for (name, conv), (norm_name, norm) in pairwise(part.named_children()):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                yield part, f"{prefix}." if prefix else "", name, norm_name


@torch.no_grad()
def unfold_norms(net: nn.Module, folded: Mapping[str, Tensor], images: Tensor) -> None:
    """Load a state folded by `fold_norms` into a network with batch norms, in place, to continue its training.

    The norms get the statistics of `images`, (B, 3, S, S), and weights and biases that cancel them: in eval mode the
    network computes the same as the folded one. Layers that `folded` lacks keep their weights.
    """
    net.load_state_dict({name: folded[name] for name in net.state_dict() if name in folded}, strict=False)

    def take(norm: nn.Module, x: Tensor, bias: Tensor) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(x.mean((0, 2, 3)))
        norm.running_var.copy_(x.var((0, 2, 3)))
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.copy_(bias + norm.running_mean)

    hooks = [
        getattr(part, norm_name).register_forward_pre_hook(
            lambda norm, inputs, bias=folded[f"{prefix}{name}.bias"]: take(norm, inputs[0], bias)
        )
        for part, prefix, name, norm_name in _normed(net)
        if f"{prefix}{name}.bias" in folded
    ]
    net.eval()(images)
    for hook in hooks:
        hook.remove()
    net.train()


def fold_norms(module: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution defined right before it, in place. Sets the module to eval mode."""
    module.eval()
    for part, _, name, norm_name in list(_normed(module)):
        fused = torch.nn.utils.fuse_conv_bn_eval(getattr(part, name), getattr(part, norm_name))
        setattr(part, name, fused)
        setattr(part, norm_name, nn.Identity())
    return module
