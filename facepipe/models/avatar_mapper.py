"""Mapper: from codes of a portrait to a relaxed avatar vector (Sang et al. 2022, section on the mapper).

Codes come either from the W+ space of a StyleGAN2 encoder (18 x 512), as in the paper, or from `PortraitEncoder`, which
sees the portrait itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.blocks import conv_norm, double

PARTS = ("background", "skin", "hair", "beard", "brows", "glasses", "hat", "earrings", "clothes")
"""Classes of the map of parts. Eyes, mouth and lashes belong to the skin."""
SLOPE = 0.2
WIDE_CHANNELS, CLOSE_CHANNELS, POINT_VALUES = 5, 3, 478 * 3
WPLUS_CODES, WPLUS_WIDTH = 18, 512


@dataclass(frozen=True)
class MapperConfig:
    """Sizes of a mapper."""

    continuous: int
    options: tuple[int, ...]
    """Number of options of each type."""
    codes: int = 14
    code_width: int = 48
    hidden: int = 256
    beta: float = 1.0
    """Factor of the logits in the softmax. Training raises it, so that the dominant option suppresses the others."""
    portrait: bool = True
    """Whether codes come from a portrait; else they are given, in the W+ space."""
    widths: tuple[int, ...] = (24, 40, 80, 144, 192)
    """Of the encoder's levels, from a half to 1/32 of the picture's side."""
    depths: tuple[int, ...] = (0, 1, 2, 2, 1)
    """Residual blocks at each level."""
    squeezed: int = 24
    points_width: int = 128

    @classmethod
    def of_wplus(cls, continuous: int, options: Sequence[int]) -> MapperConfig:
        """Return the paper's mapper, which takes codes (18, 512)."""
        return cls(continuous, tuple(options), WPLUS_CODES, WPLUS_WIDTH, 512, portrait=False)


class Mapped(NamedTuple):
    """Results of a mapper for B portraits."""

    continuous: Tensor
    """(B, continuous), 0 to 1."""
    logits: Tensor
    """(B, sum of options), before they are multiplied by beta."""
    parts: Tensor | None = None
    """(B, len(PARTS), 64, 64), logits; of mappers of portraits only."""
    drawn: Tensor | None = None
    """(B,), logit that the picture is a drawing by the engine; of mappers of portraits only."""


class Residual(nn.Module):
    """Two 3x3 convolutions with a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *conv_norm(width, width, kernel=3), nn.ReLU(inplace=True), *conv_norm(width, width, kernel=3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        return functional.relu(x + self.body(x))


class Level(nn.Sequential):
    """Halves the size, then residual blocks."""

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__(
            *conv_norm(inputs, width, kernel=3, stride=2),
            nn.ReLU(inplace=True),
            *(Residual(width) for _ in range(depth)),
        )


class PortraitEncoder(nn.Module):
    """Codes, parts and kind of portraits, from two crops and the landmarks."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        widths, depths = config.widths, config.depths
        self.wide_stem = Level(WIDE_CHANNELS, widths[0], depths[0])
        self.close_stem = Level(CLOSE_CHANNELS, widths[0], depths[0])
        # Both crops pass the same trunk.
        self.levels = nn.ModuleList(
            Level(inputs, width, depth) for (inputs, width), depth in zip(pairwise(widths), depths[1:], strict=True)
        )
        self.squeeze = nn.Conv2d(widths[-1], config.squeezed, 1)
        self.points = nn.Sequential(nn.Linear(POINT_VALUES, config.points_width), nn.LeakyReLU(SLOPE))
        features = 2 * (16 * config.squeezed + widths[-1]) + config.points_width
        self.codes = nn.Linear(features, config.codes * config.code_width)
        self.drawn = nn.Linear(2 * widths[-1], 1)
        self.shape = (config.codes, config.code_width)
        self.rise = nn.ModuleList(
            nn.Sequential(*conv_norm(above + below, below, kernel=3), nn.ReLU(inplace=True))
            for above, below in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.parts = nn.Conv2d(widths[0], len(PARTS), 1)

    def forward(self, wide: Tensor, close: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return codes (B, K, C), logits of parts (B, 9, S/2, S/2) and of the kind (B,).

        Args:
            wide: (B, 5, S, S), the frame of the face: RGB, matte, and what is inside of the portrait, -1 to 1.
            close: (B, 3, S, S), the face.
            points: (B, 478 * 3), landmarks as `facepipe.creation.mapping` normalises them.
        """
        count = len(wide)
        x = torch.cat([self.wide_stem(wide), self.close_stem(close)])
        seen = [x[:count]]
        for level in self.levels:
            x = level(x)
            seen.append(x[:count])
        pooled, squeezed = x.mean((2, 3)), functional.leaky_relu(self.squeeze(x), SLOPE).flatten(1)
        both = torch.cat([pooled[:count], pooled[count:]], 1)
        features = torch.cat([both, squeezed[:count], squeezed[count:], self.points(points)], 1)
        up = seen[-1]
        for rise, before in zip(self.rise, reversed(seen[:-1]), strict=True):
            up = rise(torch.cat([double(up), before], 1))
        return self.codes(features).unflatten(1, self.shape), self.parts(up), self.drawn(both)[:, 0]


class SeparateLinear(nn.Module):
    """K linear layers, one for each code."""

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, inputs, outputs) * (2 / inputs) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(count, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, K, inputs) to (B, K, outputs)."""
        return torch.einsum("bki,kio->bko", x, self.weight.to(x.dtype)) + self.bias.to(x.dtype)


class AvatarMapper(nn.Module):
    """An MLP for each code, then one for the continuous part and one for the choices."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = PortraitEncoder(config) if config.portrait else None
        width, hidden = config.code_width, config.hidden
        reduced = min(width, 64)
        self.first = SeparateLinear(config.codes, width, width)
        self.second = SeparateLinear(config.codes, width, reduced)
        self.continuous = _head(config.codes * reduced, hidden, config.continuous)
        self.discrete = _head(config.codes * reduced, hidden, sum(config.options))

    def of_codes(self, codes: Tensor) -> Mapped:
        """Map codes (B, K, C)."""
        x = functional.leaky_relu(self.first(codes), SLOPE)
        joined = functional.leaky_relu(self.second(x), SLOPE).flatten(1)
        return Mapped(torch.sigmoid(self.continuous(joined)), self.discrete(joined))

    def forward(self, wide: Tensor, close: Tensor, points: Tensor) -> Mapped:
        """Map portraits; see `PortraitEncoder.forward`."""
        assert self.encoder is not None, "a mapper of W+ codes takes no portraits"
        codes, parts, drawn = self.encoder(wide, close, points)
        return self.of_codes(codes)._replace(parts=parts, drawn=drawn)

    def probabilities(self, logits: Tensor, beta: float | None = None) -> Tensor:
        """Return the probabilities (B, sum of options): a softmax of beta times the logits of each type."""
        factor = self.config.beta if beta is None else beta
        each = torch.split(factor * logits, list(self.config.options), 1)
        return torch.cat([part.softmax(1) for part in each], 1)


def _head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, outputs))
