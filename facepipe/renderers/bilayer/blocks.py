"""The residual block that all bi-layer networks consist of, and its adaptive norms."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.renderers.bilayer.config import EPSILON, SLOPE

Kind = Literal["down", "same", "up", "up_efficient"]
Layer = TypeVar("Layer", bound=nn.Module)
# Each batch replaces the statistics: what is used is their average over many batches (supplementary, "standing
# statistics"), which training computes at its end.
MOMENTUM = 1.0


class Predicted(NamedTuple):
    """Parameters of one adaptive layer, predicted from an embedding. B is the number of identities, or 1."""

    weight: Tensor
    """(B, C) factors of a norm, or (B, C, inputs) of a 1x1 convolution."""
    bias: Tensor
    """(B, C)"""

    def convolve(self, x: Tensor) -> Tensor:
        """Return the 1x1 convolution of (B, inputs, H, W), or of (1, inputs, H, W) for all identities."""
        flat = torch.matmul(self.weight, x.flatten(2)) + self.bias[..., None]
        return flat.reshape(*flat.shape[:2], *x.shape[2:])


class BlockParameters(NamedTuple):
    """Predicted parameters of the adaptive layers of one block."""

    first: tuple[Predicted, ...]
    """Of the first norm; empty if that norm is not adaptive."""
    second: tuple[Predicted, ...]
    skip: Predicted


class AdaptiveBatchNorm(nn.Module):
    """Batch norm with predicted scale and shift of each channel."""

    PREDICTED = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_layer = nn.BatchNorm2d(width, eps=EPSILON, momentum=MOMENTUM, affine=False)

    def forward(self, x: Tensor, predicted: Predicted) -> Tensor:
        """Normalise (B, width, H, W)."""
        scale, shift = (value[..., None, None] for value in predicted)
        normalised: Tensor = self.norm_layer(x)
        return normalised * (1 + scale) + shift


class AdaptiveSpade(nn.Module):
    """Batch norm with scale and shift of each pixel: predicted 1x1 convolutions of a learned tensor."""

    PREDICTED = 2

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.norm_layer = nn.BatchNorm2d(width, eps=EPSILON, momentum=MOMENTUM, affine=False)
        self.pixel_feats = nn.Parameter(torch.randn(1, width, side, side))

    def forward(self, x: Tensor, scale: Predicted, shift: Predicted) -> Tensor:
        """Normalise (B, width, side, side)."""
        normalised: Tensor = self.norm_layer(x)
        return normalised * (1 + scale.convolve(self.pixel_feats)) + shift.convolve(self.pixel_feats)


class Doubling(nn.Module):
    """Doubles height and width by repetition."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2 H, 2 W)."""
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class AdaptiveSkip(nn.Module):
    """A 1x1 convolution whose weights are predicted. It has no parameters of its own."""

    def forward(self, x: Tensor, predicted: Predicted) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        return predicted.convolve(x)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the first of which changes the width, and a skip connection.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the result.
        kind: How the resolution changes. "up_efficient" doubles it after the first convolution instead of before.
        norms: Modules before the first and before the second convolution; None for a block without norms. Adaptive
            ones get their parameters from `forward`, and so does the skip connection then.
        spectral: Whether convolutions have spectral norm.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kind: Kind,
        spectral: bool,
        norms: tuple[nn.Module, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        first, second = ([norm] for norm in norms) if norms else ([], [])
        before = [Doubling()] if kind == "up" else []
        between = [Doubling()] if kind == "up_efficient" else []
        after = [nn.AvgPool2d(2)] if kind == "down" else []
        conv = convolution(inputs, outputs, spectral=spectral)
        self.block_feats = nn.Sequential(*first, leaky(), *before, conv, *second, leaky())
        self.block = nn.Sequential(*between, convolution(outputs, outputs, spectral=spectral), *after)
        adaptive = norms is not None and isinstance(norms[1], AdaptiveBatchNorm | AdaptiveSpade)
        self.skip = _skip(inputs, outputs, kind=kind, adaptive=adaptive, spectral=spectral)

    def split(self, x: Tensor, parameters: BlockParameters | None = None) -> tuple[Tensor, Tensor]:
        """Return the features between the two convolutions, and the result."""
        norms = iter([norm for norm in parameters[:2] if norm] if parameters else [])
        features, skipped = x, x
        for layer in self.block_feats:
            adaptive = isinstance(layer, AdaptiveBatchNorm | AdaptiveSpade)
            features = layer(features, *next(norms)) if adaptive else layer(features)
        for layer in self.skip:
            if isinstance(layer, AdaptiveSkip):
                assert parameters is not None
                skipped = layer(skipped, parameters.skip)
            else:
                skipped = layer(skipped)
        return features, self.block(features) + skipped

    def forward(self, x: Tensor, parameters: BlockParameters | None = None) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H', W')."""
        return self.split(x, parameters)[1]


def _skip(inputs: int, outputs: int, *, kind: Kind, adaptive: bool, spectral: bool) -> nn.Sequential:
    if kind == "same" and inputs == outputs:
        return nn.Sequential()
    conv = AdaptiveSkip() if adaptive else convolution(inputs, outputs, kernel=1, spectral=spectral)
    if kind in ("up", "up_efficient"):
        return nn.Sequential(Doubling(), conv)
    return nn.Sequential(conv, *([nn.AvgPool2d(2)] if kind == "down" else []))


def leaky() -> nn.LeakyReLU:
    """Return the activation. It is never in place: features and skip connections need its input."""
    return nn.LeakyReLU(SLOPE)


def batch_norm(width: int) -> nn.BatchNorm2d:
    """Return a batch norm with learned scale and shift."""
    return nn.BatchNorm2d(width, eps=EPSILON, momentum=MOMENTUM)


def convolution(inputs: int, outputs: int, *, spectral: bool, kernel: int = 3) -> nn.Conv2d:
    """Return a convolution that keeps height and width."""
    return normed(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), spectral=spectral)


def normed(layer: Layer, *, spectral: bool) -> Layer:
    """Add spectral norm with the names of the published tensors, if `spectral`."""
    return nn.utils.spectral_norm(layer, eps=EPSILON) if spectral else layer


def without_spectral_norm(net: nn.Module) -> nn.Module:
    """Fold spectral norms into the weights, in place, by the stored vectors: no power iteration is made."""
    for module in net.modules():
        if hasattr(module, "weight_orig"):
            nn.utils.remove_spectral_norm(module)
            # torch 2.13 leaves this hook, which expects weight_orig in the next state (findings/spectral_norm_hook.sh).
            module._load_state_dict_pre_hooks.clear()
    return net
