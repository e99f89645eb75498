"""Attention in explicit vectors and in tiles against its formula in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.models import tile_attention
from facepipe.models.narrow_attention import WIDTH, Floats, attended
from facepipe.renderers.imf.quick_attention import has_tiles

RANDOM = np.random.default_rng(3)
needs_tiles = pytest.mark.skipif(not has_tiles(), reason="this processor has no AMX")


def columns(count: int, scale: float = 1.0) -> Floats:
    return np.asarray(RANDOM.normal(0, scale, (WIDTH, count)), np.float32)


def expected(queries: Floats, keys: Floats, values: Floats) -> NDArray[np.float64]:
    scores = queries.astype(np.float64).T @ keys
    weights = np.exp2(scores - scores.max(1, keepdims=True))
    return np.asarray(values @ (weights / weights.sum(1, keepdims=True)).T, np.float64)


@pytest.mark.parametrize(("count", "others"), [(16, 16), (64, 16), (16, 256), (144, 1024)])
@pytest.mark.parametrize("scale", [0.01, 1, 2])
def test_attention_is_the_formula(count: int, others: int, scale: float) -> None:
    """With scores close to each other, and up to dozens apart."""
    queries, keys, values = columns(count, scale), columns(others, scale), columns(others)
    found = attended(queries, keys, values)
    assert found is not None
    # Scores are rounded in proportion to their size.
    np.testing.assert_allclose(found, expected(queries, keys, values), atol=1e-6 * max(1.0, 4 * scale**2))


def test_scores_far_below_their_bound() -> None:
    """Keys are long, but at a right angle to queries: every term would vanish."""
    queries, keys, values = columns(32, 4), columns(64, 0.5), columns(64)
    queries[0], keys[0] = 0, 400
    assert attended(queries, keys, values) is None


def test_equal_keys_give_the_mean() -> None:
    queries, values = columns(16, 3), columns(48)
    keys = np.repeat(columns(1), 48, axis=1)
    mean = np.repeat(values.mean(1, keepdims=True), 16, axis=1)
    found = attended(queries, keys, values)
    assert found is not None
    np.testing.assert_allclose(found, mean, atol=1e-6)


def tokens(count: int, width: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(count, width)


def in_double(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Return the attention of tokens, head by head, with the usual scale."""
    made = []
    for parts in zip(*(x.double().chunk(heads, 1) for x in (queries, keys, values)), strict=True):
        weights = (parts[0] @ parts[1].T / parts[0].shape[1] ** 0.5).softmax(1)
        made.append(weights @ parts[2])
    return torch.cat(made, 1)


@needs_tiles
@pytest.mark.parametrize(
    ("channels", "width", "heads"), [(8, 8, 4), (16, 16, 2), (32, 32, 1), (64, 32, 1), (40, 64, 2), (8, 16, 1)]
)
@pytest.mark.parametrize(("count", "others"), [(16, 32), (48, 96), (256, 320)])
def test_tiles_are_the_formula(channels: int, width: int, heads: int, count: int, others: int) -> None:
    torch.manual_seed(0)
    queries, keys = tokens(count, channels * heads), tokens(others, channels * heads)
    values = tokens(others, width * heads)
    assert tile_attention.supports(queries, keys, values, heads)
    found = tile_attention.attended(queries, keys, values, heads)
    assert found is not None
    torch.testing.assert_close(found.double(), in_double(queries, keys, values, heads), rtol=0, atol=1e-4)


@needs_tiles
def test_tiles_with_scores_far_apart() -> None:
    """Up to a hundred: a bound that no sum may exceed is subtracted, and small terms vanish as they should."""
    torch.manual_seed(0)
    queries, keys, values = tokens(64, 16, 3), tokens(128, 16, 3), tokens(128, 16)
    found = tile_attention.attended(queries, keys, values, 2)
    assert found is not None
    torch.testing.assert_close(found.double(), in_double(queries, keys, values, 2), rtol=0, atol=1e-3)


@needs_tiles
def test_tiles_with_scores_far_below_their_bound() -> None:
    queries, keys, values = tokens(32, 8, 4), tokens(64, 8), tokens(64, 8)
    queries[:, 0], keys[:, 0] = 0, 400
    assert tile_attention.attended(queries, keys, values, 1) is None


@needs_tiles
def test_tiles_leave_other_products_alone() -> None:
    """Libraries configure the same registers, and may rely on what they wrote last."""
    torch.manual_seed(0)
    one, two = torch.randn(64, 64).bfloat16(), torch.randn(64, 64).bfloat16()
    before = one @ two
    for _ in range(3):
        tile_attention.attended(tokens(16, 8), tokens(32, 8), tokens(32, 8), 1)
        assert torch.equal(one @ two, before)


@pytest.mark.parametrize(
    ("shapes", "heads"),
    [
        (((16, 8), (16, 8), (16, 8)), 1),
        (((15, 8), (32, 8), (32, 8)), 1),
        (((16, 12), (32, 12), (32, 12)), 1),
        (((16, 128), (32, 128), (32, 128)), 1),
        (((16, 24), (32, 24), (32, 24)), 1),
    ],
)
def test_shapes_that_tiles_do_not_fit(shapes: tuple[tuple[int, int], ...], heads: int) -> None:
    queries, keys, values = (torch.zeros(shape) for shape in shapes)
    assert not tile_attention.supports(queries, keys, values, heads)
