"""The inference generator of one person: predicted parameters merged into plain convolutions.

The merge is exact up to rounding. The result consists of convolutions, leaky ReLU, nearest upsampling, sums, tanh and,
for the norm at the start of each block, a factor and an offset per channel.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import AdaptiveBatchNorm, Predicted, ResidualBlock
from facepipe.renderers.bilayer.config import SLOPE, BilayerConfig, widths
from facepipe.renderers.bilayer.inference import InferenceGenerator, Layers
from facepipe.renderers.bilayer.projector import Groups, parameters_by_block

WARP, LOW, MASK = slice(0, 2), slice(2, 5), slice(5, 6)
"""Channels of the maps that `MergedGenerator` returns."""


class Affine(nn.Module):
    """A factor and an offset for each channel: a norm with known statistics."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, width, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W)."""
        return x * self.scale + self.shift


class MergedBlock(nn.Module):
    """A block of the inference generator. The skip connection precedes the upsampling, with the same result."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = Affine(inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        inner = F.leaky_relu(self.first(F.leaky_relu(self.norm(x), SLOPE)), SLOPE)
        result: Tensor = self.second(F.interpolate(inner, scale_factor=2.0, mode="nearest"))
        return result + F.interpolate(self.skip(x), scale_factor=2.0, mode="nearest")


class MergedGenerator(nn.Module):
    """The inference generator with the parameters of one person."""

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        sizes = widths(config.inference_width, config.inference_widest, config.inference_stages)[::-1]
        self.blocks = nn.ModuleList(MergedBlock(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.norm = Affine(sizes[-1])
        self.head = nn.Conv2d(sizes[-1], 6, 3, padding=1)

    def forward(self, poses: Tensor) -> Tensor:
        """Map poses (B, C, 4, 4) to maps (B, 6, S, S) in [-1, 1]: warp `WARP`, low frequencies `LOW`, mask `MASK`.

        The mask is `2 * mask - 1`: tanh of half the logits is the sigmoid, so that all maps share the last layers.
        """
        x = poses
        for block in self.blocks:
            x = block(x)
        return cast("Tensor", self.head(F.leaky_relu(self.norm(x), SLOPE))).tanh()


class Maps(NamedTuple):
    """Maps of F frames as layers: warp and low frequencies as in `Layers`, and the mask."""

    delta: Tensor
    low: Tensor
    mask: Tensor
    """(F, 1, S, S) in [0, 1]."""

    @classmethod
    def of(cls, maps: Tensor) -> Maps:
        """Split the (F, 6, S, S) result of `MergedGenerator`."""
        return cls(maps[:, WARP], maps[:, LOW], (maps[:, MASK] + 1) / 2)

    def compose(self, texture: Tensor) -> Tensor:
        """Return the (F, 3, S, S) pictures with a (1, 3, S, S) texture, not clamped."""
        return Layers(self.delta, self.low, self.mask).compose(texture)


@torch.no_grad()
def merged(net: InferenceGenerator, groups: Groups, config: BilayerConfig) -> MergedGenerator:
    """Merge the predicted parameters of one person into a generator.

    Args:
        net: The network in eval mode, without spectral norm.
        groups: `net.prj_inf(embeddings)` of one person.
        config: Sizes.
    """
    generator = MergedGenerator(config).to(next(net.parameters()).device)
    blocks, last = parameters_by_block(groups, AdaptiveBatchNorm.PREDICTED)
    for target, source, parameters in zip(generator.blocks, net.gen_inf.blocks, blocks, strict=False):
        assert isinstance(target, MergedBlock)
        assert isinstance(source, ResidualBlock)
        first, _, before, second, _ = source.block_feats
        _copy_affine(target.norm, *_affine(first, parameters.first))
        scale, shift = _affine(second, parameters.second)
        target.first.weight.copy_(before.weight * scale[:, None, None, None])  # type: ignore[operator]
        target.first.bias.copy_(before.bias * scale + shift)  # type: ignore[operator,union-attr]
        target.second.load_state_dict(source.block[1].state_dict())
        target.skip.weight.copy_(parameters.skip.weight[0, :, :, None, None])
        target.skip.bias.copy_(parameters.skip.bias[0])  # type: ignore[union-attr]
    _copy_affine(generator.norm, *_affine(net.gen_inf.blocks[-1], last))
    heads = [head[0] for head in net.gen_inf.heads]  # type: ignore[index]
    factor = torch.ones(6, device=generator.head.weight.device)
    factor[MASK] = 0.5
    generator.head.weight.copy_(torch.cat([head.weight for head in heads]) * factor[:, None, None, None])
    generator.head.bias.copy_(torch.cat([head.bias for head in heads]) * factor)  # type: ignore[union-attr]
    return generator.eval().requires_grad_(False)


def _affine(norm: nn.Module, predicted: tuple[Predicted, ...]) -> tuple[Tensor, Tensor]:
    """Return the factor and the offset that a batch norm amounts to, for the first person."""
    if isinstance(norm, AdaptiveBatchNorm):
        weight, bias = 1 + predicted[0].weight[0], predicted[0].bias[0]
        norm = norm.norm_layer
    else:
        weight, bias = cast("Tensor", norm.weight), cast("Tensor", norm.bias)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = weight / (norm.running_var + norm.eps).sqrt()
    return scale, bias - norm.running_mean * scale


def _copy_affine(target: Affine, scale: Tensor, shift: Tensor) -> None:
    target.scale.copy_(scale[None, :, None, None])
    target.shift.copy_(shift[None, :, None, None])
