"""What the warping and the editing network are both made of."""

from __future__ import annotations

from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.models.normalisation import LayerNorm
from facepipe.renderers.pirender.config import SLOPE, PirenderConfig

Conv = TypeVar("Conv", nn.Conv2d, nn.ConvTranspose2d)
Part = TypeVar("Part", bound=nn.Module)


def leaky(x: Tensor) -> Tensor:
    """The activation of both networks."""
    return F.leaky_relu(x, SLOPE)


def normed(conv: Conv, config: PirenderConfig) -> Conv:
    """Return the convolution, with spectral norm where the configuration asks for it."""
    return nn.utils.spectral_norm(conv) if config.spectral_norm else conv


def part(module: nn.Module, name: str, kind: type[Part]) -> Part:
    """Return a part of a module that bears its number in its name, as the published keys have it."""
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
        """Take (B, inputs, H, W), give (B, outputs, H, W)."""
        return self.model(x)  # type: ignore[no-any-return]

    @property
    def conv(self) -> nn.Conv2d:
        """The convolution alone."""
        return part(self.model, "0", nn.Conv2d)

    @property
    def norm(self) -> LayerNorm:
        """What follows it."""
        return part(self.model, "1", LayerNorm)

    def finish(self, x: Tensor) -> Tensor:
        """Do what follows the convolution; what it gave is overwritten."""
        return F.leaky_relu(self.model[1](x), SLOPE, inplace=True)
