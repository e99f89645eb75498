"""Benchmark of the bi-layer networks, with tiny ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facepipe.bench.renderers import bilayer
from facepipe.renderers.bilayer.inference import Layers
from tests.renderers.bilayer.networks import SMALL

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_names_and_values_of_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bilayer, "bfloat16_is_fast", lambda: False)
    monkeypatch.setattr(bilayer, "FRAMES", 1)
    threads = torch.get_num_threads()
    metrics = {metric.name: metric for metric in bilayer.measure_size(SMALL, 1)}
    assert torch.get_num_threads() == threads
    speeds = [bilayer.OFFICIAL, bilayer.MERGED, bilayer.ONNX_MERGED, bilayer.ONNX_PLAIN]
    assert [name for name, metric in metrics.items() if metric.unit == "frames/s"][:4] == speeds
    assert all(len(metrics[name].values) == 5 for name in speeds)
    limits = {name: metric.threshold for name, metric in metrics.items() if metric.threshold}
    assert {name: limit.limit for name, limit in limits.items()} == {
        "bilayer merged over official": 4.0,
        "bilayer merged over unmerged ONNX": 1.5,
        "bilayer initialisation, float32": 3.0,
    }
    official = metrics[bilayer.OFFICIAL].values[0] / metrics[bilayer.MERGED].values[0]
    assert metrics["bilayer merged over official"].values[0] == pytest.approx(1 / official)


def test_all_variants_render_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared is the same work."""
    made: list[torch.Tensor] = []
    compose = Layers.compose

    def kept(layers: Layers, texture: torch.Tensor) -> torch.Tensor:
        made.append(compose(layers, texture))
        return made[-1]

    monkeypatch.setattr(bilayer, "FRAMES", 1)
    bench = bilayer.Bench(SMALL, 1)
    monkeypatch.setattr(Layers, "compose", kept)
    for variant in (bench.official, bench.merged(), *bilayer._others(bench).values()):
        variant()
    assert len(made) >= 4
    assert made[0].std() > 0.01
    for other in made[1:]:
        np.testing.assert_allclose(other, made[0], atol=1e-3)
