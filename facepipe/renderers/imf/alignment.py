"""The implicit motion alignment, IMF_A: features of the source in the motion of another token.

Each pixel of the wanted motion attends to all pixels of the source's motion, and takes their features. Transformer
blocks follow. The published formulas have neither residuals nor the norm before the attention; without them such blocks
do not train, so those of the usual form are taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.renderers.imf.attention import as_map, as_tokens, attend, attend_by, attend_near
from facepipe.renderers.imf.config import WINDOW, ImfConfig

EXPANSION = 4
"""Width of the feed-forward layers, as a multiple of that of the block."""
POSITION_SCALE = 0.02
"""Standard deviation of position embeddings at first."""


class Aligned(NamedTuple):
    """What one level attends with."""

    keys: Tensor
    """(B, N, C), motion features of the source with their positions."""
    values: Tensor
    """(B, N, C'), features of the source, projected."""


class SelfAttention(nn.Module):
    """Multi-head attention between the pixels of a map."""

    def __init__(self, width: int, heads: int, kind: str) -> None:
        super().__init__()
        self.heads, self.kind = heads, kind
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, width). Keys and values are means over 2x2 pixels if the kind is "shared"."""
        queries, keys, values = self.inputs(x).chunk(3, dim=2)
        if self.kind == "window":
            mixed = attend_near(queries, keys, values, window=WINDOW, heads=self.heads)
        else:
            if self.kind == "shared":
                keys, values = _pooled(keys), _pooled(values)
            mixed = attend(queries, keys, values, heads=self.heads)
        return cast("Tensor", self.output(mixed))


class TransformerBlock(nn.Module):
    """Self-attention and feed-forward layers, each on the norm of its input and added to it."""

    def __init__(self, width: int, heads: int, kind: str) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), SelfAttention(width, heads, kind)
        self.norm2 = nn.LayerNorm(width)
        self.hidden, self.output = nn.Linear(width, EXPANSION * width), nn.Linear(EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, width)."""
        x = x + self.attention(self.norm1(x))
        made: Tensor = x + self.output(functional.gelu(self.hidden(self.norm2(x))))
        return made


class Level(nn.Module):
    """Alignment at one resolution."""

    position_q: Tensor
    position_k: Tensor

    def __init__(self, config: ImfConfig, place: int) -> None:
        super().__init__()
        self.side = config.level_sides[place]
        width = config.aligned_widths[place]
        self.kind = config.first_level if place == 0 else "full"
        for name in ("position_q", "position_k"):
            if config.positions == "learned":
                shape = (self.side**2, config.motion_widths[place])
                setattr(self, name, nn.Parameter(POSITION_SCALE * torch.randn(shape)))
            else:
                self.register_buffer(name, sine_positions(self.side, config.motion_widths[place]), persistent=False)
        projected = config.value_projection == "linear"
        self.value = nn.Linear(config.feature_widths[place], width) if projected else nn.Identity()
        self.blocks = nn.Sequential(*(TransformerBlock(width, config.heads, self.kind) for _ in range(config.depth)))

    def source(self, features: Tensor, motion: Tensor) -> Aligned:
        """Return keys and values of the source from its features and motion features, (B, C, H, W)."""
        return Aligned(as_tokens(motion) + self.position_k, self.value(as_tokens(features)))

    def queries(self, motion: Tensor) -> Tensor:
        """Return the queries (B, N, C) of motion features."""
        return as_tokens(motion) + self.position_q

    def refined(self, aligned: Tensor) -> Tensor:
        """Map values after attention, (B, N, C'), to aligned features (B, C', H, W)."""
        return as_map(self.blocks(aligned), self.side)


class Alignment(nn.Module):
    """All levels."""

    def __init__(self, config: ImfConfig) -> None:
        super().__init__()
        self.levels = nn.ModuleList(Level(config, place) for place in range(len(config.level_sides)))

    def source(self, features: Sequence[Tensor], motion: Sequence[Tensor]) -> list[Aligned]:
        """Return keys and values at each level."""
        pairs = zip(self._levels(), features, motion, strict=True)
        return [level.source(*maps) for level, *maps in pairs]

    def forward(self, motion: Sequence[Tensor], sources: Sequence[Aligned]) -> list[Tensor]:
        """Return aligned features (B, C, H, W) at each level, of as many sources as there are motions."""
        levels = self._levels()
        queries = [level.queries(maps) for level, maps in zip(levels, motion, strict=True)]
        moved = [attend(query, *source) for query, source in zip(queries[1:], sources[1:], strict=True)]
        kind, source = levels[0].kind, sources[0]
        if kind == "shared":
            finest = attend_by(queries[1], sources[1].keys, source.values)
        elif kind == "window":
            finest = attend_near(queries[0], *source, window=WINDOW)
        else:
            finest = attend(queries[0], *source)
        return [level.refined(tokens) for level, tokens in zip(levels, [finest, *moved], strict=True)]

    def _levels(self) -> list[Level]:
        return [cast("Level", level) for level in self.levels]


def sine_positions(side: int, width: int) -> Tensor:
    """Return embeddings (side * side, width) of rows and columns: sines and cosines of falling frequency."""
    count = width // 4
    frequencies = torch.exp(-math.log(10_000) * torch.arange(count) / count)
    angles = torch.arange(side)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)


def _pooled(tokens: Tensor) -> Tensor:
    maps = as_map(tokens, int(tokens.shape[1] ** 0.5))
    return as_tokens(functional.avg_pool2d(maps, 2))
