"""The generator of StyleGAN2: from latents to styles, and from one style a layer to a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from facepipe.models.stylegan2.layers import EqualLinear, StyledConv, ToRgb, normalised

FIRST_SIDE = 4
MAPPING_RATE = 0.01
"""Learning rate of the mapping network, as a fraction of the others'."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of a generator."""

    style: int = 512
    widths: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128)
    """Channels at 4, 8, ... pixels; seven of them are 256 pixels."""
    mapping_layers: int = 8


class Generator(nn.Module):
    """Maps latents to styles (`style`), and one style a layer (W+) to a picture (`draw`)."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        widths, style = config.widths, config.style
        self.styles = 2 * len(widths)
        self.style_width = style
        self.side = FIRST_SIDE * 2 ** (len(widths) - 1)
        self.style: MappingNetwork = MappingNetwork(style, config.mapping_layers)
        self.input = Start(widths[0])
        self.conv1 = StyledConv(widths[0], widths[0], style)
        self.to_rgb1 = ToRgb(widths[0], style, upsample=False)
        self.convs, self.to_rgbs, self.noises = nn.ModuleList(), nn.ModuleList(), nn.Module()
        for inputs, outputs in pairwise(widths):
            self.convs += [StyledConv(inputs, outputs, style, upsample=True), StyledConv(outputs, outputs, style)]
            self.to_rgbs.append(ToRgb(outputs, style))
        for place in range(self.styles - 1):
            side = FIRST_SIDE * 2 ** ((place + 1) // 2)
            self.noises.register_buffer(f"noise_{place}", torch.randn(1, 1, side, side))

    def draw(self, styles: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Map styles (B, layers, style) to pictures (B, 3, side, side).

        `noise` has one map (1 or B, 1, H, W) a convolution; without it the noise is zero.
        """
        maps: Sequence[Tensor | None] = noise or [None] * (self.styles - 1)
        x = self.conv1(self.input(len(styles)), styles[:, 0], maps[0])
        picture: Tensor = self.to_rgb1(x, styles[:, 1])
        for place, to_rgb in enumerate(self.to_rgbs):
            layer = 2 * place + 1
            x = self.convs[layer - 1](x, styles[:, layer], maps[layer])
            x = self.convs[layer](x, styles[:, layer + 1], maps[layer + 1])
            picture = to_rgb(x, styles[:, layer + 2], picture)
        return picture.float()

    def stored_noise(self) -> list[Tensor]:
        """Return the noise maps that belong to the weights."""
        return list(self.noises.buffers())


class MappingNetwork(nn.Sequential):
    """Maps latents (B, style) to styles (B, style)."""

    def __init__(self, style: int, layers: int) -> None:
        linear = [EqualLinear(style, style, active=True, rate=MAPPING_RATE) for _ in range(layers)]
        super().__init__(Normalisation(), *linear)


class Normalisation(nn.Module):
    """Scales latents to a root mean square of 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (B, C)."""
        return normalised(x)


class Start(nn.Module):
    """The learned constant that the synthesis starts from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, FIRST_SIDE, FIRST_SIDE))

    def forward(self, count: int) -> Tensor:
        """Return (count, channels, 4, 4)."""
        return self.input.expand(count, -1, -1, -1)


def read_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of a network here from one of rosinality/stylegan2-pytorch.

    There, the FIR filters are part of it, and the kernels of modulated convolutions have a leading dimension of 1.
    """
    kept = {name: value for name, value in state.items() if name.rpartition(".")[2] != "kernel"}
    return {name: value[0] if value.dim() == 5 else value for name, value in kept.items()}
