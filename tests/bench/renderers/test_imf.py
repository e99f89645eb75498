"""Benchmark of the IMF networks, with tiny ones."""

from __future__ import annotations

import pytest
import torch

from facepipe.bench.renderers import imf
from tests.renderers.imf.networks import SMALL


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imf, "bfloat16_is_fast", lambda: False)
    monkeypatch.setattr(imf, "compact_network", lambda: None)
    monkeypatch.setattr(imf, "FRAMES", 1)


def test_names_and_values_of_the_metrics() -> None:
    metrics = {metric.name: metric for metric in imf.measure_size(SMALL, 1)}
    speeds = [name for name, metric in metrics.items() if metric.unit == "frames/s"]
    assert speeds == [imf.PLAIN, imf.FAST, imf.TOKENS]
    steps = {name for name, metric in metrics.items() if metric.unit == "ms"}
    both = ("token encoder", "token decoder", "alignment", "frame decoder")
    assert steps == {f"  {step}, {form}" for step in both for form in ("plain", "fused")} | {"  dense encoder, plain"}
    ratio = metrics[f"{imf.FAST} over plain"]
    assert ratio.values[0] == pytest.approx(metrics[imf.FAST].values[0] / metrics[imf.PLAIN].values[0])
    assert ratio.threshold
    assert ratio.threshold.limit == 3
    assert metrics[f"{imf.FAST}, max difference"].median < 1
    assert metrics["imf, peak memory of this process"].median > 0.05


def test_all_variants_render_the_same_picture() -> None:
    """What is compared is the same work."""
    bench = imf.Bench(SMALL, 1)
    plain = bench.plain()
    for variant in (bench.fast(), bench.from_tokens(bench.net), bench.from_tokens(bench.fused[torch.float32])):
        torch.testing.assert_close(variant(), plain, rtol=0, atol=1e-4)
