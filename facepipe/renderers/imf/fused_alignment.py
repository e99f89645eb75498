"""The alignment in the form that a CPU computes fastest: the same features up to rounding.

Factors and offsets of norms are part of the layers after them, and the offset of values is part of the output layer.
That of keys adds the same to all scores of a query, so it is left out. Heads of 8 channels have their own attention.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.narrow_attention import LANES, LOG2_E, WIDTH, attended
from facepipe.renderers.imf.alignment import Aligned, Alignment, Level, TransformerBlock
from facepipe.renderers.imf.attention import as_map, as_tokens, attend


class FusedTransformer(nn.Module):
    """A `TransformerBlock` with attention to all pixels, for one picture. Only products are computed in `dtype`."""

    def __init__(self, block: TransformerBlock, dtype: torch.dtype) -> None:
        super().__init__()
        attention = block.attention
        self.heads, self.dtype, self.width = attention.heads, dtype, attention.output.in_features
        weight, bias = merged(block.norm1, attention.inputs)
        offset = attention.output.weight.detach() @ bias[2 * self.width :] + attention.output.bias.detach()
        # Exponents of two instead of e, for `attended`.
        scale = LOG2_E / math.sqrt(self.width / self.heads) if self.narrow else 1.0
        query = torch.cat([torch.full((self.width,), scale), torch.ones(2 * self.width)])
        self.inputs = nn.Parameter((weight * query[:, None]).to(dtype))
        self.query_bias = nn.Parameter((scale * bias[: self.width]).to(dtype))
        self.output, self.offset = nn.Parameter(attention.output.weight.detach().to(dtype)), nn.Parameter(offset)
        hidden, hidden_bias = merged(block.norm2, block.hidden)
        self.hidden, self.hidden_bias = nn.Parameter(hidden.to(dtype)), nn.Parameter(hidden_bias.to(dtype))
        self.last = nn.Parameter(block.output.weight.detach().to(dtype))
        self.last_bias = nn.Parameter(block.output.bias.detach().clone())

    @property
    def narrow(self) -> bool:
        """Whether heads are as wide as `attended` takes them."""
        return self.width // self.heads == WIDTH

    def forward(self, x: Tensor) -> Tensor:
        """Map float32 tokens (N, width)."""
        normal = functional.layer_norm(x, (self.width,)).to(self.dtype)
        mixed = self._narrow(normal) if self.narrow and len(x) % LANES == 0 else self._wide(normal)
        x = x + (mixed @ self.output.T + self.offset)
        normal = functional.layer_norm(x, (self.width,)).to(self.dtype)
        inner = functional.gelu(functional.linear(normal, self.hidden, self.hidden_bias))
        return x + (inner @ self.last.T + self.last_bias)

    def _narrow(self, normal: Tensor) -> Tensor:
        rows = self.inputs @ normal.T
        rows[: self.width] += self.query_bias[:, None]
        parts = rows.float().view(3, self.heads, WIDTH, -1).numpy()
        mixed = np.concatenate([attended(*parts[:, head]) for head in range(self.heads)])
        return torch.from_numpy(mixed).T.to(self.dtype)

    def _wide(self, normal: Tensor) -> Tensor:
        columns = normal @ self.inputs.T
        queries, keys, values = columns.chunk(3, dim=1)
        scores = (queries + self.query_bias)[None], keys[None], values[None]
        return attend(*scores, heads=self.heads)[0]


class FusedAlignment(nn.Module):
    """An `Alignment` of full levels, for one picture."""

    def __init__(self, alignment: Alignment, dtype: torch.dtype) -> None:
        super().__init__()
        self.levels, self.dtype = [cast("Level", level) for level in alignment.levels], dtype
        self.blocks = nn.ModuleList(
            nn.Sequential(*(FusedTransformer(cast("TransformerBlock", block), dtype) for block in level.blocks))
            for level in self.levels
        )

    def forward(self, motion: Sequence[Tensor], sources: Sequence[Aligned]) -> list[Tensor]:
        """Map motion (1, C, H, W) as `Alignment` does, to maps that are channels last."""
        aligned = []
        for level, blocks, maps, source in zip(self.levels, self.blocks, motion, sources, strict=True):
            queries = as_tokens(maps) + level.position_q
            moved = attend(*(part.to(self.dtype) for part in (queries, *source)))
            aligned.append(as_map(blocks(moved[0].float())[None], level.side))
        return aligned


def merged(norm: nn.LayerNorm, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear layer that includes the factor and the offset of the norm before it."""
    weight = linear.weight.detach()
    return weight * norm.weight.detach(), weight @ norm.bias.detach() + linear.bias.detach()
