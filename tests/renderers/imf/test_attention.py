"""Attention against its formula, and without the matrix of all scores."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from facepipe.renderers.imf.alignment import sine_positions
from facepipe.renderers.imf.attention import as_map, as_tokens, attend, attend_by, attend_near
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.net import Imf


def tokens(count: int, width: int, *, batch: int = 2) -> Tensor:
    return 2 * torch.randn(batch, count, width)


def weights(queries: Tensor, keys: Tensor, allowed: Tensor | None = None) -> Tensor:
    """Return the matrix of attention (B, N, M) of one head."""
    scores = queries @ keys.transpose(1, 2) / math.sqrt(queries.shape[2])
    return (scores if allowed is None else scores.masked_fill(~allowed, -torch.inf)).softmax(2)


@pytest.mark.parametrize(("width", "narrower", "heads"), [(12, 12, 1), (12, 5, 1), (12, 12, 3)])
def test_attention_is_the_formula(width: int, narrower: int, heads: int) -> None:
    torch.manual_seed(0)
    queries, keys, values = tokens(20, width), tokens(30, width), tokens(30, narrower)
    parts = zip(*(x.chunk(heads, 2) for x in (queries, keys, values)), strict=True)
    expected = torch.cat([weights(query, key) @ value for query, key, value in parts], 2)
    torch.testing.assert_close(attend(queries, keys, values, heads=heads), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "window"), [(16, 5), (8, 3), (4, 17), (32, 17)])
def test_attention_to_a_neighbourhood(side: int, window: int) -> None:
    """Against the whole matrix, masked."""
    torch.manual_seed(0)
    queries, keys, values = tokens(side**2, 6), tokens(side**2, 6), tokens(side**2, 4)
    row = torch.arange(side**2) // side
    column = torch.arange(side**2) % side
    near = [(place[:, None] - place[None]).abs() <= window // 2 for place in (row, column)]
    expected = weights(queries, keys, near[0] & near[1]) @ values
    found = attend_near(queries, keys, values, window=window)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_attention_by_a_coarser_map() -> None:
    """Each weight moves the four pixels of a cell, each to the same place in another cell."""
    torch.manual_seed(0)
    queries, keys, values = tokens(16, 6), tokens(16, 6), tokens(64, 5)
    found = as_map(attend_by(queries, keys, values), 8)
    matrix, maps = weights(queries, keys), as_map(values, 8)
    for row in range(2):
        for column in range(2):
            expected = matrix @ as_tokens(maps[:, :, row::2, column::2])
            torch.testing.assert_close(as_tokens(found[:, :, row::2, column::2]), expected, rtol=1e-4, atol=1e-5)


def test_distinct_motion_selects_its_own_pixel() -> None:
    """If the motion of both pictures is the same and pixels are easily told apart, features stay where they are."""
    torch.manual_seed(0)
    motion, features = tokens(64, 32, batch=1), tokens(64, 8, batch=1)
    torch.testing.assert_close(attend(20 * motion, motion, features), features, rtol=1e-3, atol=1e-3)


def test_no_matrix_of_scores_at_the_finest_level() -> None:
    """The scores of 4096 pixels would take 64 MB."""
    config = ImfConfig.of("quarter", depth=1)
    level: Any = Imf(config).eval().requires_grad_(False).alignment.levels[0]
    maps, features = torch.randn(1, 64, 64, 64), torch.randn(1, 32, 64, 64)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        level.refined(attend(level.queries(maps), *level.source(features, maps)))
    largest = max(event.cpu_memory_usage for event in profiled.events())
    assert largest < 16 * 2**20


def test_sine_positions() -> None:
    """Pixels of a row share the second half of the channels' complement, and no two are the same."""
    table = sine_positions(8, 16).view(8, 8, 16)
    torch.testing.assert_close(table[3, :, :8], table[3, :1, :8].expand(8, -1))
    torch.testing.assert_close(table[:, 5, 8:], table[:1, 5, 8:].expand(8, -1))
    assert table[2, 6, 0] == pytest.approx(math.sin(2))
    assert table[2, 6, 9] == pytest.approx(math.sin(6 / 10))
    assert table[2, 6, 12] == pytest.approx(math.cos(6))
    assert torch.pdist(table.flatten(0, 1)).min() > 0.1
