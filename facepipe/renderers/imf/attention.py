"""Attention between the pixels of two maps, without the matrix of all their pairs.

Tokens are (B, N, C), one per pixel, row by row. Scores are divided by the square root of the queries' channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TILE = 8
"""Side of the tiles of queries that share a neighbourhood."""


def attend(queries: Tensor, keys: Tensor, values: Tensor, *, heads: int = 1) -> Tensor:
    """Return the values (B, N, C') by attention of queries (B, N, C) to keys (B, M, C); values are (B, M, C').

    On a CPU torch keeps no scores only if the channels of a token are adjacent in memory and values are as wide as
    queries: narrower ones are padded.
    """
    return _mixed(queries, keys, values, heads)


def attend_near(queries: Tensor, keys: Tensor, values: Tensor, *, window: int, heads: int = 1) -> Tensor:
    """Return the same with attention to `window` x `window` pixels around each query, fewer at the border.

    The maps are square. A tile of queries attends to all keys that any of them may see, the others are masked.
    """
    side = int(queries.shape[1] ** 0.5)
    tile, reach = min(TILE, side), window // 2
    tiles = _tiles(queries, side, tile, 0), _tiles(keys, side, tile, reach), _tiles(values, side, tile, reach)
    allowed = _neighbours(side, tile, reach, queries.device)
    masks = allowed.repeat(len(queries), 1, 1)[:, None]
    flat, width = _mixed(*tiles, heads, masks), values.shape[2]
    across = side // tile
    rows = flat.view(len(queries), across, across, tile, tile, width).transpose(2, 3)
    return rows.reshape(len(queries), side * side, width)


def attend_by(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return values (B, 4 N, C') by the attention of maps of half the side: each weight moves 2x2 pixels at once."""
    side = int(values.shape[1] ** 0.5)
    cells = functional.pixel_unshuffle(as_map(values, side), 2)
    chunks = torch.split(as_tokens(cells), queries.shape[2], dim=2)
    moved = torch.cat([attend(queries, keys, chunk) for chunk in chunks], 2)
    return as_tokens(functional.pixel_shuffle(as_map(moved, side // 2), 2))


def as_tokens(maps: Tensor) -> Tensor:
    """Map (B, C, H, W) to (B, H W, C)."""
    return maps.flatten(2).transpose(1, 2)


def as_map(tokens: Tensor, side: int) -> Tensor:
    """Map (B, side * side, C) to (B, C, side, side)."""
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)


def _mixed(queries: Tensor, keys: Tensor, values: Tensor, heads: int, masks: Tensor | None = None) -> Tensor:
    width = values.shape[2]
    padded = functional.pad(values, (0, max(0, queries.shape[2] - width)))
    parts = [_split(x, heads) for x in (queries, keys, padded)]
    made = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=masks)
    return made.transpose(1, 2).flatten(2)[..., :width]


def _split(tokens: Tensor, heads: int) -> Tensor:
    """Map (B, N, C) to (B, heads, N, C / heads)."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).contiguous().transpose(1, 2)


def _tiles(tokens: Tensor, side: int, tile: int, reach: int) -> Tensor:
    """Return the tiles of a map, with `reach` pixels around each, as (B * tiles, pixels, C)."""
    maps, span = as_map(tokens, side), tile + 2 * reach
    cut = functional.unfold(maps, span, padding=reach, stride=tile)
    return cut.view(len(cut), maps.shape[1], span * span, -1).permute(0, 3, 2, 1).flatten(0, 1)


def _neighbours(side: int, tile: int, reach: int, device: torch.device) -> Tensor:
    """Return which pixels around each tile its queries may see, (tiles, tile * tile, span * span)."""
    span, across = tile + 2 * reach, side // tile
    offset = torch.arange(span, device=device)[None] - torch.arange(tile, device=device)[:, None]
    near = (offset >= 0) & (offset <= 2 * reach)
    place = torch.arange(across, device=device)[:, None] * tile + torch.arange(span, device=device)[None] - reach
    inside = (place >= 0) & (place < side)
    line = near[None] & inside[:, None]
    allowed = line[:, None, :, None, :, None] & line[None, :, None, :, None, :]
    return allowed.flatten(0, 1).flatten(1, 2).flatten(2, 3)
