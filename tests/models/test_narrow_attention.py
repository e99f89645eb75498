"""Attention in explicit vectors against its formula in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.models.narrow_attention import LEAST, WIDTH, Floats, attend_head, attended

RANDOM = np.random.default_rng(3)


def columns(count: int, scale: float = 1.0) -> Floats:
    return np.asarray(RANDOM.normal(0, scale, (WIDTH, count)), np.float32)


def expected(queries: Floats, keys: Floats, values: Floats) -> NDArray[np.float64]:
    scores = queries.astype(np.float64).T @ keys
    weights = np.exp2(scores - scores.max(1, keepdims=True))
    return np.asarray(values @ (weights / weights.sum(1, keepdims=True)).T, np.float64)


@pytest.mark.parametrize(("count", "others"), [(16, 16), (64, 16), (16, 256), (144, 1024)])
@pytest.mark.parametrize("scale", [0.01, 1, 8])
def test_attention_is_the_formula(count: int, others: int, scale: float) -> None:
    """With scores close to each other, and up to hundreds apart."""
    queries, keys, values = columns(count, scale), columns(others, scale), columns(others)
    tolerance = 1e-6 * max(1.0, 4 * scale**2)  # scores are rounded in proportion to their size
    np.testing.assert_allclose(attended(queries, keys, values), expected(queries, keys, values), atol=tolerance)


def test_scores_far_below_their_bound() -> None:
    """Keys are long, but at a right angle to queries: without the exact maximum, every term would vanish."""
    queries, keys, values = columns(32, 4), columns(64, 0.5), columns(64)
    queries[0], keys[0] = 0, 400
    out = np.empty_like(queries)
    lengths = np.linalg.norm(queries, axis=0).reshape(-1, 4).max(1)
    bounds = np.asarray(lengths * np.linalg.norm(keys, axis=0).max(), np.float32)
    assert attend_head(queries, keys, values, out, bounds) < LEAST
    np.testing.assert_allclose(attended(queries, keys, values), expected(queries, keys, values), atol=1e-5)


def test_equal_keys_give_the_mean() -> None:
    queries, values = columns(16, 3), columns(48)
    keys = np.repeat(columns(1), 48, axis=1)
    mean = np.repeat(values.mean(1, keepdims=True), 16, axis=1)
    np.testing.assert_allclose(attended(queries, keys, values), mean, atol=1e-6)
