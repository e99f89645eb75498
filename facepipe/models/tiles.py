"""Tokens as tiles of bfloat16, as the matrix registers of AMX take them.

A float32 is the sum of two bfloat16, its upper and its lower part. A product of channels is one of more channels: all
pairs of parts, or without that of both lower parts. All arrays of tokens are (N, heads, channels), and results are
bits of bfloat16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.models.bfloat16 import rounded, widened
from facepipe.models.compiled import compiled_fused

Floats = NDArray[np.float32]
Halves = NDArray[np.uint16]
ROWS, DEPTH = 16, 32
"""Rows of a tile, and numbers in a row of a first factor."""
LOWER_FIRST, LOWER_SECOND = (False, True, False, True), (False, False, True, True)
"""Whether a pair of parts has the lower part of the first factor, and of the second."""


@compiled_fused
def tile_first(tokens: Floats, factor: np.float32, tiles: Halves, pairs: int) -> None:
    """Write tokens times a factor to `tiles`, (heads, N / 16, steps, 16, 32): rows of the first factor."""
    count, heads, channels = tokens.shape
    for n in range(count):
        for head in range(heads):
            for c in range(channels):
                value = tokens[n, head, c] * factor
                upper = rounded(value)
                lower = rounded(value - widened(upper))
                for pair in range(pairs):
                    depth = pair * channels + c
                    part = lower if LOWER_FIRST[pair] else upper
                    tiles[head, n // ROWS, depth // DEPTH, n % ROWS, depth % DEPTH] = part


@compiled_fused
def tile_second(tokens: Floats, tiles: Halves, pairs: int) -> None:
    """Write tokens to `tiles`, (heads, N / 16, steps, 16, 16, 2): columns of the second factor, in pairs."""
    count, heads, channels = tokens.shape
    for n in range(count):
        for head in range(heads):
            for c in range(channels):
                value = tokens[n, head, c]
                upper = rounded(value)
                lower = rounded(value - widened(upper))
                for pair in range(pairs):
                    depth = pair * channels + c
                    part = lower if LOWER_SECOND[pair] else upper
                    tiles[head, n // ROWS, depth // DEPTH, depth % DEPTH // 2, n % ROWS, depth % 2] = part


@compiled_fused
def tile_values(tokens: Floats, tiles: Halves) -> None:
    """Write tokens to `tiles`, (heads, N / 32, tiles of channels, 16, 16, 2): rows of the second factor, in pairs.

    Tokens i and 16 + i of a block are a pair. Channels are those of all upper parts, then those of all lower parts.
    """
    count, heads, channels = tokens.shape
    for n in range(count):
        half, row = n % DEPTH // ROWS, n % ROWS
        for head in range(heads):
            for c in range(channels):
                value = tokens[n, head, c]
                upper = rounded(value)
                tiles[head, n // DEPTH, c // ROWS, row, c % ROWS, half] = upper
                lower = channels + c
                tiles[head, n // DEPTH, lower // ROWS, row, lower % ROWS, half] = rounded(value - widened(upper))
