"""The alignment in the form that a CPU computes fastest: the same features up to rounding.

Factors and offsets of norms are part of the layers after them, and the offset of values is part of the output layer.
That of keys adds the same to all scores of a query, so it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.renderers.imf.alignment import Aligned, Alignment, Level, TransformerBlock
from facepipe.renderers.imf.attention import as_map, as_tokens
from facepipe.renderers.imf.quick_attention import attend_quickly


class FusedTransformer(nn.Module):
    """A `TransformerBlock` with attention to all pixels, for one picture. Only products are computed in `dtype`."""

    def __init__(self, block: TransformerBlock, dtype: torch.dtype) -> None:
        super().__init__()
        attention = block.attention
        self.heads, self.dtype, self.width = attention.heads, dtype, attention.output.in_features
        weight, bias = merged(block.norm1, attention.inputs)
        offset = attention.output.weight.detach() @ bias[2 * self.width :] + attention.output.bias.detach()
        self.inputs, self.query_bias = nn.Parameter(weight.to(dtype)), nn.Parameter(bias[: self.width].to(dtype))
        self.output, self.offset = nn.Parameter(attention.output.weight.detach().to(dtype)), nn.Parameter(offset)
        hidden, hidden_bias = merged(block.norm2, block.hidden)
        self.hidden, self.hidden_bias = nn.Parameter(hidden.to(dtype)), nn.Parameter(hidden_bias.to(dtype))
        self.last = nn.Parameter(block.output.weight.detach().to(dtype))
        self.last_bias = nn.Parameter(block.output.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map float32 tokens (N, width)."""
        normal = functional.layer_norm(x, (self.width,)).to(self.dtype)
        queries, keys, values = (normal @ self.inputs.T).chunk(3, dim=1)
        mixed = attend_quickly(queries + self.query_bias, keys, values, heads=self.heads)
        x = x + (mixed @ self.output.T + self.offset)
        normal = functional.layer_norm(x, (self.width,)).to(self.dtype)
        inner = functional.gelu(functional.linear(normal, self.hidden, self.hidden_bias))
        return x + (inner @ self.last.T + self.last_bias)


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
            moved = attend_quickly(*(part[0].to(self.dtype) for part in (queries, *source)))
            aligned.append(as_map(blocks(moved.float())[None], level.side))
        return aligned


def merged(norm: nn.LayerNorm, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear layer that includes the factor and the offset of the norm before it."""
    weight = linear.weight.detach()
    return weight * norm.weight.detach(), weight @ norm.bias.detach() + linear.bias.detach()
