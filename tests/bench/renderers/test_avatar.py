"""Benchmark of the rasteriser of avatars, in small pictures."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.bench.metric import Threshold
from facepipe.bench.networks import measurable
from facepipe.bench.renderers import avatar
from tests.export.avatar_head import needs_head

pytestmark = needs_head


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatar, "SIDE", 24)
    monkeypatch.setattr(avatar, "LARGE_SIDE", 32)
    monkeypatch.setattr(avatar, "FRAMES", 1)
    monkeypatch.setattr(avatar, "ROUNDS", 2)


def test_names_and_values_of_the_metrics() -> None:
    metrics = {metric.name: metric for metric in avatar.measure(1)}
    assert "avatar" in measurable()
    speeds = ["avatar at 24", "avatar at 32", avatar.LONE, avatar.PAINTER]
    assert list(metrics) == [*speeds, f"{avatar.LONE} over painter"]
    assert metrics["avatar at 24"].threshold == Threshold(60, "at least")
    assert metrics["avatar at 32"].threshold == Threshold(30, "at least")
    assert all(len(metrics[name].values) == 2 for name in speeds)
    best = {name: max(metrics[name].values) for name in (avatar.LONE, avatar.PAINTER)}
    assert metrics[f"{avatar.LONE} over painter"].median == pytest.approx(best[avatar.LONE] / best[avatar.PAINTER])


def test_the_reference_draws_the_same_head() -> None:
    """Its colours have no light, but the head covers the same pixels."""
    scene = avatar.posed_scene()
    background = np.round(np.multiply(avatar.BACKGROUND, 255))
    drawn, painted = (np.abs(one(64) - background).sum(axis=2) > 30 for one in (scene.drawn, scene.painted))
    assert drawn.mean() > 0.3
    assert (drawn != painted).mean() < 0.03
