"""The imitator: a differentiable stand-in for the engine of avatars (AgileAvatar, arXiv 2211.07818, stage 2).

Separate small networks map a whole avatar vector to one style per layer of a generator, which draws the neutral
avatar in the frame of its face. The published generator is StyleGAN2; the compact one is made for two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.blocks import double
from facepipe.models.stylegan2.generator import Generator, GeneratorConfig

NAME = "avatar-imitator"
"""Of the weight, and the kind of its file."""
SLOPE = 0.2
"""Of leaky ReLU."""
FIRST_SIDE = 4
"""Side of the learned constant that a generator starts from."""


@dataclass(frozen=True)
class ImitatorConfig:
    """Sizes of the published imitator: StyleGAN2 for 256x256 pixels, so 14 styles of 512."""

    length: int = 158
    """Of an avatar vector as a row (facepipe.avatar.layout.LENGTH)."""
    hidden: tuple[int, ...] = (256, 512)
    """Hidden widths of each network from vector to style."""
    style: int = 512
    widths: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128)
    """Channels of the generator at 4, 8, ... pixels."""
    mapping_layers: int = 8
    """Depth of the network from a latent to a style, which only the adversarial pre-training uses."""

    @property
    def discriminator_widths(self) -> tuple[int, ...]:
        """Channels of the discriminator at 4, 8, ... pixels."""
        return self.widths


@dataclass(frozen=True)
class CompactImitatorConfig:
    """Sizes of the compact imitator."""

    length: int = 158
    hidden: tuple[int, ...] = (128,)
    style: int = 64
    widths: tuple[int, ...] = (128, 160, 128, 96)
    """Channels of the generator at 4, 8, ... pixels."""
    enlargement: int = 4
    """The last layer draws squares of this side (a power of 2), so that no convolution works on all pixels."""

    @property
    def discriminator_widths(self) -> tuple[int, ...]:
        """Channels of the discriminator at 4, 8, ... pixels."""
        return self.widths + (self.widths[-1],) * (self.enlargement.bit_length() - 1)


def config_of(**sizes: Any) -> ImitatorConfig | CompactImitatorConfig:
    """Return the config with the sizes in a file. Raises TypeError for other names."""
    return CompactImitatorConfig(**sizes) if "enlargement" in sizes else ImitatorConfig(**sizes)


class Imitator(nn.Module):
    """Draws avatars from vectors, strict or relaxed."""

    def __init__(self, config: ImitatorConfig | CompactImitatorConfig) -> None:
        super().__init__()
        self.config = config
        self.generator: Generator | CompactGenerator = (
            CompactGenerator(config)
            if isinstance(config, CompactImitatorConfig)
            else Generator(GeneratorConfig(config.style, config.widths, config.mapping_layers))
        )
        count = self.generator.styles
        self.encoders = nn.ModuleList(_encoder(config.length, config.hidden, config.style) for _ in range(count))

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows (B, length) in [0, 1] to float32 RGB pictures (B, 3, S, S), about [-1, 1]."""
        centred = 2 * rows - 1
        return self.generator.draw(torch.stack([encoder(centred) for encoder in self.encoders], dim=1))


class CompactGenerator(nn.Module):
    """A generator whose layers are scaled and shifted by channel (FiLM) where StyleGAN2 modulates each kernel.

    A plain convolution serves the whole batch, so oneDNN computes it at full speed. There is no noise: the engine that
    it imitates has none.
    """

    def __init__(self, config: CompactImitatorConfig) -> None:
        super().__init__()
        widths = config.widths
        self.style_width = config.style
        self.styles = 2 * len(widths)
        self.side = FIRST_SIDE * 2 ** (len(widths) - 1) * config.enlargement
        self.start = nn.Parameter(torch.randn(1, widths[0], FIRST_SIDE, FIRST_SIDE))
        inputs = [widths[max(0, (layer - 1) // 2)] for layer in range(self.styles)]
        self.layers = nn.ModuleList(
            StyledLayer(inputs[layer], widths[layer // 2], config.style) for layer in range(self.styles)
        )
        squares = nn.Conv2d(widths[-1], 3 * config.enlargement**2, 3, padding=1)
        self.to_rgb = nn.Sequential(squares, nn.PixelShuffle(config.enlargement))

    def draw(self, styles: Tensor) -> Tensor:
        """Map styles (B, layers, style) to float32 pictures (B, 3, side, side)."""
        x = self.start.expand(len(styles), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        for place, layer in enumerate(self.layers):
            x = layer(double(x) if place and place % 2 == 0 else x, styles[:, place])
        picture: Tensor = self.to_rgb(x)
        return picture.float()


class StyledLayer(nn.Module):
    """A 3x3 convolution whose result is scaled and shifted by a style, and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.modulation = nn.Linear(style, 2 * outputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and (B, style) to (B, outputs, H, W)."""
        scale, shift = self.modulation(style)[:, :, None, None].chunk(2, dim=1)
        return functional.leaky_relu(torch.addcmul(shift, self.conv(x), 1 + scale), SLOPE)


def _encoder(length: int, hidden: tuple[int, ...], style: int) -> nn.Sequential:
    sizes = (length, *hidden, style)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers)
