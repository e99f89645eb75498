"""Layers that warping and editing network share."""

from __future__ import annotations

from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.models.normalisation import LayerNorm
from facepipe.renderers.pirender.config import SLOPE, PirenderConfig

Conv = TypeVar("Conv", nn.Conv2d, nn.ConvTranspose2d)
Part = TypeVar("Part", bound=nn.Module)


def leaky(x: Tensor) -> Tensor:
    """Apply leaky ReLU, the activation of both networks."""
    return F.leaky_relu(x, SLOPE)


def normed(conv: Conv, config: PirenderConfig) -> Conv:
    """Return the convolution, with spectral norm if the config has it."""
    return nn.utils.spectral_norm(conv) if config.spectral_norm else conv


def part(module: nn.Module, name: str, kind: type[Part]) -> Part:
    """Return a submodule by name, as its type. Published keys have numbers in names, which are no attributes."""
    found = module.get_submodule(name)
    assert isinstance(found, kind)
    return found


class ConvUnit(nn.Module):
    """Convolution, layer norm, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, config: PirenderConfig, *, kernel: int = 3) -> None:
        super().__init__()
        conv = normed(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), config)
        self.model = nn.Sequential(conv, LayerNorm(outputs), nn.LeakyReLU(SLOPE))

    def forward(self, x: Tensor) -> Tensor:
        """Take (B, inputs, H, W); return (B, outputs, H, W)."""
        return self.model(x)  # type: ignore[no-any-return]

    @property
    def conv(self) -> nn.Conv2d:
        """The convolution."""
        return part(self.model, "0", nn.Conv2d)

    @property
    def norm(self) -> LayerNorm:
        """The norm after the convolution."""
        return part(self.model, "1", LayerNorm)

    def finish(self, x: Tensor) -> Tensor:
        """Apply norm and activation to the convolution's output, which may be overwritten."""
        return F.leaky_relu(self.model[1](x), SLOPE, inplace=True)
