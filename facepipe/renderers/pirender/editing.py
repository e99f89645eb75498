"""The editing network: corrects the warped source, and generates what the source does not show."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.models.normalisation import AdaIN
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.layers import ConvUnit, normed, part


class ResidualBlock(nn.Module):
    """Residual block. The published one also computes `conv1` and `norm1`, and discards the result."""

    def __init__(self, width: int, config: PirenderConfig) -> None:
        super().__init__()
        if config.unused_branch:  # Kept for its keys in the state dict; never run, so it gets no gradient.
            self.conv1 = normed(nn.Conv2d(width, width, 3, padding=1), config)
        self.conv2 = normed(nn.Conv2d(width, width, 3, padding=1), config)
        if config.unused_branch:
            self.norm1 = AdaIN(width=width, latent=config.latent)
        self.norm2 = AdaIN(width=width, latent=config.latent)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Take (B, width, H, W) and (B, latent); return (B, width, H, W)."""
        return x + self.norm2(self.conv2(x), z)  # type: ignore[no-any-return]


class ResidualBlocks(nn.Module):
    """A sequence of residual blocks."""

    def __init__(self, width: int, config: PirenderConfig) -> None:
        super().__init__()
        for index in range(config.residual_blocks):
            self.add_module(f"res{index}", ResidualBlock(width, config))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Take (B, width, H, W) and (B, latent); return (B, width, H, W)."""
        for block in self.blocks:
            x = block(x, z)
        return x

    @property
    def blocks(self) -> list[ResidualBlock]:
        """The blocks, in order."""
        return [part(self, name, ResidualBlock) for name, _ in self.named_children()]


class EditingEncoder(nn.Module):
    """Computes features at every resolution from source and warp image."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.layers = config.editing_layers
        widths = [config.width(config.editing_width, level) for level in range(self.layers + 1)]
        self.first = ConvUnit(2 * config.image_channels, widths[0], config, kernel=7)
        for level in range(self.layers):
            self.add_module(f"down{level}", ConvUnit(widths[level], widths[level + 1], config))

    def forward(self, source: Tensor, warp_image: Tensor) -> list[Tensor]:
        """Return features from full resolution to the coarsest."""
        features: list[Tensor] = [self.first(torch.cat([source, warp_image], dim=1))]
        for unit in self.units:
            features.append(F.avg_pool2d(unit(features[-1]), 2))
        return features

    @property
    def units(self) -> list[ConvUnit]:
        """The unit before each pooling, from full resolution down."""
        return [part(self, f"down{level}", ConvUnit) for level in range(self.layers)]


class Final(nn.Module):
    """Computes a picture from features."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        conv = nn.Conv2d(config.editing_width, config.image_channels, 7, padding=3)
        self.model = nn.Sequential(normed(conv, config), nn.Tanh())

    @property
    def conv(self) -> nn.Conv2d:
        """The convolution, without the tanh."""
        return part(self.model, "0", nn.Conv2d)

    def forward(self, x: Tensor) -> Tensor:
        """Take (B, width, H, W); return (B, 3, H, W) in [-1, 1]."""
        return self.model(x)  # type: ignore[no-any-return]


class Step(NamedTuple):
    """Modules of the decoder at one level."""

    level: int
    residual: ResidualBlocks
    up: ConvUnit
    """Runs at the next higher resolution."""
    jump: ConvUnit
    """Runs on the encoder's features of that resolution."""


class EditingDecoder(nn.Module):
    """Computes a picture from the features, with the motion entering in the residual blocks."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.levels = tuple(reversed(range(config.editing_layers)))
        for level in self.levels:
            width, above = (config.width(config.editing_width, one) for one in (level + 1, level))
            self.add_module(f"up{level}", ConvUnit(width, above, config))
            self.add_module(f"res{level}", ResidualBlocks(width, config))
            self.add_module(f"jump{level}", ConvUnit(above, above, config))
        self.final = Final(config)

    def forward(self, features: list[Tensor], z: Tensor) -> Tensor:
        """Take the encoder's features and z; return (B, 3, H, W) in [-1, 1]."""
        x = features[-1]
        for step in self.steps:
            x = step.up(F.interpolate(step.residual(x, z), scale_factor=2.0, mode="nearest"))
            x = x + step.jump(features[step.level])
        return self.final(x)  # type: ignore[no-any-return]

    @property
    def steps(self) -> list[Step]:
        """The steps, from the coarsest level up."""
        return [
            Step(
                level,
                part(self, f"res{level}", ResidualBlocks),
                part(self, f"up{level}", ConvUnit),
                part(self, f"jump{level}", ConvUnit),
            )
            for level in self.levels
        ]


class EditingNet(nn.Module):
    """Computes the final picture (paper, section 3.3)."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.encoder = EditingEncoder(config)
        self.decoder = EditingDecoder(config)

    def forward(self, source: Tensor, warp_image: Tensor, z: Tensor) -> Tensor:
        """Take two (B, 3, H, W) in [-1, 1] and (B, latent); return (B, 3, H, W) in [-1, 1]."""
        return self.decoder(self.encoder(source, warp_image), z)  # type: ignore[no-any-return]
