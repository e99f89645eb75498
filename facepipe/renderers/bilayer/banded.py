"""The networks of initialisation in the form that a CPU computes fastest.

Convolutions take in the resampling beside them (`resampled`), norms become one product and one sum per value, features
are channels last, and each block is computed in bands of rows by several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.models.packed import PackedConv
from facepipe.models.resampled import after_doubling, before_halving
from facepipe.renderers.bilayer.blocks import AdaptiveSpade, BlockParameters, Doubling, Predicted, ResidualBlock
from facepipe.renderers.bilayer.config import SLOPE
from facepipe.renderers.bilayer.published import Bilayer
from facepipe.rendering.bands import Bands, clear_outside, rows_of

Skip = Callable[[Tensor], Tensor]
LAST = torch.channels_last


class PixelAffine(NamedTuple):
    """An adaptive norm of one person, as a factor and an offset of each pixel: 1x1 convolutions of a learned tensor."""

    features: Tensor
    """(1, C, H, W), channels last."""
    weights: tuple[Tensor, Tensor]
    """(C, C, 1, 1), of the factor and of the offset."""
    biases: tuple[Tensor, Tensor]
    """(C,)"""

    @classmethod
    def of(cls, norm: AdaptiveSpade, scale: Predicted, shift: Predicted) -> PixelAffine:
        """Merge the statistics of a batch norm in eval mode into predicted parameters."""
        mean, variance = cast("Tensor", norm.norm_layer.running_mean), cast("Tensor", norm.norm_layer.running_var)
        factor = (variance + norm.norm_layer.eps).rsqrt()
        weight, bias = scale.weight[0] * factor[:, None], (1 + scale.bias[0]) * factor
        offset_weight, offset_bias = shift.weight[0] - weight * mean[:, None], shift.bias[0] - bias * mean
        weights = weight[:, :, None, None], offset_weight[:, :, None, None]
        return cls(norm.pixel_feats.contiguous(memory_format=LAST), weights, (bias, offset_bias))

    def apply(self, band: Tensor, first: int) -> Tensor:
        """Return the norm of a band of the picture, whose first row is `first`."""
        features = rows_of(self.features, first, first + band.shape[2])
        scale, shift = map(partial(F.conv2d, features), self.weights, self.biases)
        return torch.addcmul(shift, band, scale)


class BandedBlock(nn.Module):
    """A `ResidualBlock` without norms, or with `AdaptiveSpade`, in bands.

    A band has an input and an output of which the coarser has `rows` rows; its features between the convolutions reach
    a row further on both sides.
    """

    def __init__(self, block: ResidualBlock, bands: Bands) -> None:
        super().__init__()
        self.bands = bands
        layers = [*block.block_feats, *block.block]
        first, second = (layer for layer in layers if isinstance(layer, nn.Conv2d))
        self.up, self.down = (any(isinstance(layer, kind) for layer in layers) for kind in (Doubling, nn.AvgPool2d))
        self.norms = nn.ModuleList(layer for layer in layers if isinstance(layer, AdaptiveSpade))
        made = after_doubling(first) if self.up else first
        # Bands bring rows of their own instead of padding. Without norms, the activation follows the first convolution.
        self.first = PackedConv(_padded(made, 2 if self.up else 0), None if self.norms else SLOPE)
        self.second = PackedConv(_padded(before_halving(second) if self.down else second, 0))
        skip = next((layer for layer in block.skip if isinstance(layer, nn.Conv2d)), None)
        self.skip = PackedConv(skip) if skip else None

    @staticmethod
    def supports(module: nn.Module) -> bool:
        """Return whether a module is such a block."""
        if not isinstance(module, ResidualBlock):
            return False
        return not any(isinstance(layer, nn.BatchNorm2d) for layer in module.block_feats)

    def forward(self, x: Tensor, parameters: BlockParameters | None = None) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H', W'), of one person if there are parameters."""
        norms = self._affines(parameters) if parameters else ()
        skip = _convolution(parameters.skip) if parameters else self.skip
        rows = x.shape[2] // (2 if self.down else 1)

        def of_one(picture: Tensor) -> Tensor:
            return self.bands.compute(rows, lambda first, end: self._band(picture, norms, skip, first, end))

        return torch.cat([of_one(one.contiguous(memory_format=LAST)) for one in torch.split(x, 1)])

    def _affines(self, parameters: BlockParameters) -> tuple[PixelAffine, ...]:
        return tuple(
            PixelAffine.of(cast("AdaptiveSpade", norm), *predicted)
            for norm, predicted in zip(self.norms, (parameters.first, parameters.second), strict=True)
        )

    def _band(self, x: Tensor, norms: Sequence[PixelAffine], skip: Skip | None, first: int, end: int) -> Tensor:
        taken, finer = (2 if self.down else 1), (2 if self.up or self.down else 1)
        begin, margin = first * taken, (1 if self.up else 2)
        inner = rows_of(x, begin - margin, end * taken + margin)
        if norms:
            inner = norms[0].apply(inner, begin - margin)
        inner = self.first(clear_outside(F.leaky_relu(inner, SLOPE), begin - margin, x.shape[2]))
        if norms:
            inner = F.leaky_relu(norms[1].apply(inner, first * finer - 1), SLOPE, inplace=True)
        inner = clear_outside(inner, first * finer - 1, x.shape[2] * (2 if self.up else 1))
        made: Tensor = self.second(inner)
        return made.add_(self._skipped(x[:, :, begin : end * taken], skip))

    def _skipped(self, x: Tensor, skip: Skip | None) -> Tensor:
        """Return the skip connection: convolution and pooling, or doubling, in the order that costs less."""
        if self.down:
            x = F.avg_pool2d(x, 2)
        x = skip(x) if skip else x
        return F.interpolate(x, scale_factor=2.0, mode="nearest") if self.up else x


class BandedNorm(nn.Module):
    """An `AdaptiveSpade` of one person, in bands."""

    def __init__(self, norm: AdaptiveSpade, bands: Bands) -> None:
        super().__init__()
        self.norm, self.bands = norm, bands

    def forward(self, x: Tensor, scale: Predicted, shift: Predicted) -> Tensor:
        """Normalise (1, C, H, W)."""
        affine = PixelAffine.of(self.norm, scale, shift)
        return self.bands.compute(x.shape[2], lambda first, end: affine.apply(x[:, :, first:end], first))


class BandedConv(nn.Module):
    """A 3x3 convolution in bands."""

    def __init__(self, conv: nn.Conv2d, bands: Bands) -> None:
        super().__init__()
        self.conv, self.bands = PackedConv(_padded(conv, 0)), bands

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""

        def of_one(picture: Tensor) -> Tensor:
            return self.bands.compute(x.shape[2], lambda first, end: self.conv(rows_of(picture, first - 1, end + 1)))

        return torch.cat([of_one(one.contiguous(memory_format=LAST)) for one in torch.split(x, 1)])


def accelerated(net: Bilayer, threads: int) -> Bilayer:
    """Replace the layers of initialisation by banded ones, which share their parameters and change them, and return it.

    The networks must be in eval mode, without spectral norm; they cannot be trained or saved afterwards.
    """
    bands = Bands(threads)
    decoder = net.texture_generator.gen_tex
    parts = [net.identity_embedder.net["enc"], decoder.blocks, *decoder.heads]
    if net.texture_enhancer:
        parts.append(net.texture_enhancer.net["blocks"])
    for part in parts:
        for name, layer in part.named_children():
            if BandedBlock.supports(layer):
                setattr(part, name, BandedBlock(cast("ResidualBlock", layer), bands))
            elif isinstance(layer, AdaptiveSpade):
                setattr(part, name, BandedNorm(layer, bands))
            elif isinstance(layer, nn.Conv2d):
                setattr(part, name, BandedConv(layer, bands))
    return net


def _padded(conv: nn.Conv2d | nn.ConvTranspose2d, rows: int) -> nn.Conv2d | nn.ConvTranspose2d:
    """Set the padding of a convolution above and below."""
    conv.padding = (rows, 1)
    return conv


def _convolution(predicted: Predicted) -> Skip:
    return partial(F.conv2d, weight=predicted.weight[0, :, :, None, None], bias=predicted.bias[0])
