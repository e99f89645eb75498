"""Fitting of tables."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.codec import TokenCodec
from facepipe.codec.distribution import REACH, frequencies
from facepipe.codec.fitting import UNITS, best_model, fit_table, spans_of, transform_of
from facepipe.codec.table import SCALE_COUNT
from facepipe.train.codec_tables import figures_of


def clips(count: int, seed: int, size: int = 32) -> list[NDArray[np.float64]]:
    """Return random walks of (T, 32) tokens around a place of each person, as the tokens of a network might be."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(size, size)) * np.geomspace(1, 0.02, size)[:, None]
    walks = []
    for index in range(count):
        steps = random.normal(size=(60 + 70 * (index % 3), size))
        walk = np.zeros(size)
        rows = []
        for step in steps:
            walk = 0.9 * walk + step
            rows.append(walk)
        walks.append((np.array(rows) + 2 * random.normal(size=size)) @ mixing)
    return walks


def test_a_table_of_any_tokens_codes_near_the_entropy() -> None:
    table = fit_table("imf", clips(20, seed=1), 32)
    unseen = clips(6, seed=2)
    figures = [figures_of(table, scale, unseen, [np.eye(32)]) for scale in (2, 5, 8)]
    assert all(one.bits < 1.15 * one.entropy for one in figures)
    assert figures[0].bits > figures[1].bits > figures[2].bits
    assert figures[0].errors < figures[1].errors < figures[2].errors


def test_units_are_a_share_of_the_differences() -> None:
    """Without a metric the error of a step is the same share of the differences for tokens of any size."""
    seen = clips(8, seed=1)
    table, larger = (fit_table("imf", [factor * clip for clip in seen], 32) for factor in (1, 100))
    differences = np.concatenate([rows for _, rows in spans_of(seen)])
    assert np.sqrt(np.mean(((differences @ table.analysis) ** 2).sum(1))) == pytest.approx(UNITS, rel=1e-3)
    np.testing.assert_allclose(larger.analysis * 100, table.analysis, rtol=1e-4, atol=1e-6)
    assert TokenCodec(table, 4).step == TokenCodec(larger, 4).step


def test_the_transform_decorrelates_and_keeps_the_metric() -> None:
    random = np.random.default_rng(5)
    rows = random.normal(size=(500, 6)) @ random.normal(size=(6, 6))
    root = random.normal(size=(6, 6))
    metric = root @ root.T
    analysis, synthesis = transform_of(rows, metric, 6)
    parts = rows @ analysis
    covariance = parts.T @ parts / len(parts)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-4 * covariance.max())
    assert np.all(np.diff(np.diag(covariance)) < 0)
    np.testing.assert_allclose((parts**2).sum(1), np.einsum("ni,ij,nj->n", rows, metric, rows), rtol=1e-4)
    np.testing.assert_allclose(analysis @ synthesis, np.eye(6), atol=1e-4)


def test_every_clip_has_two_sets_of_key_frames() -> None:
    clip = np.arange(250.0)[:, None]
    assert [float(key[0]) for key, _ in spans_of([clip])] == [0, 50, 100, 150, 200, 225]
    assert [len(rows) for _, rows in spans_of([clip])] == [99, 99, 99, 99, 49, 49]
    assert [float(key[0]) for key, _ in spans_of([clip[:1]])] == [0]


def test_the_best_model_has_the_least_bits() -> None:
    for index in (30, 95, 160):
        share = frequencies(index) / (1 << 24)
        drawn = np.random.default_rng(0).choice(len(share), 20000, p=share) - REACH
        found = frequencies(best_model(drawn)) / (1 << 24)
        assert -(share * np.log2(found)).sum() < -(share * np.log2(share)).sum() + 0.01
    assert best_model(np.zeros(0, np.int64)) == 0


def test_still_clips_have_a_table() -> None:
    """Numbers that never differ are not an error, and classes without numbers have distributions."""
    still = [np.tile(clip[:1], (40, 1)) + 1e-3 * clip[:40] * (np.arange(32) < 3) for clip in clips(3, seed=4)]
    table = fit_table("imf", still, 32)
    for scale in range(SCALE_COUNT):
        codec = TokenCodec(table, scale)
        reference = codec.reference(still[0][0])
        packet = codec.packet(still[0][9] - still[0][0], reference)
        assert np.isfinite(codec.difference(packet, reference)).all()
