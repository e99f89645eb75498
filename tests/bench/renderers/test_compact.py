"""Benchmark of the compact network, with a tiny one."""

from __future__ import annotations

import pytest
import torch

from facepipe.bench.blocks import FUNCTIONS, REST, block_seconds, blocks
from facepipe.bench.metric import Threshold
from facepipe.bench.renderers import compact
from facepipe.renderers.compact import net as network
from facepipe.renderers.compact.net import CompactNet, in_precision
from tests.renderers.compact.test_net import TINY


def small(dtype: torch.dtype) -> CompactNet:
    torch.manual_seed(0)
    net = CompactNet(TINY).eval().requires_grad_(False)
    return in_precision(net, dtype)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "compact_net", small)
    monkeypatch.setattr(compact, "SIDE", 64)
    monkeypatch.setattr(compact, "LARGE_SIDE", 128)
    monkeypatch.setattr(compact, "FRAMES", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_names_and_values_of_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fastest precision, plain form and larger pictures; the speed-up; full precision; and blocks."""
    monkeypatch.setattr(compact, "bfloat16_is_fast", lambda: True)
    threads = torch.get_num_threads()
    metrics = {metric.name: metric for metric in compact.measure(1)}
    names = list(metrics)
    first = [f"compact bf16, batches of {count}" for count in (1, 2, 4, 8)]
    assert names[:7] == [
        *first,
        "compact plain",
        "compact at 128, batches of 1",
        "compact bf16, batches of 1 over plain",
    ]
    assert names[7:11] == [name.replace("bf16", "fp32") for name in first]
    assert metrics["compact bf16, batches of 1"].threshold == Threshold(40, "at least")
    assert metrics["compact fp32, batches of 1"].threshold == Threshold(10, "at least")
    best = {name: max(metrics[name].values) for name in ("compact bf16, batches of 1", "compact plain")}
    ratio = metrics["compact bf16, batches of 1 over plain"]
    assert ratio.unit == "times"
    assert ratio.median == pytest.approx(best[first[0]] / best["compact plain"])
    assert names[11:] == [f"  {name}" for name in block_seconds(small(torch.float32), inputs(), 1)]
    assert torch.get_num_threads() == threads


def inputs(side: int = 0) -> tuple[torch.Tensor, ...]:
    return compact.inputs(2, torch.float32, side)


def test_without_fast_bfloat16_full_precision_is_compared_with_the_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "bfloat16_is_fast", lambda: False)
    names = [metric.name for metric in compact.measure(1)]
    assert "compact fp32, batches of 1 over plain" in names
    assert not [name for name in names if "bf16" in name]


@pytest.mark.parametrize("side", [64, 128])
def test_every_part_is_timed(side: int) -> None:
    """There is one row per part and one for the rest; hooks and patched functions are removed afterwards."""
    net, plain = small(torch.float32), {name: getattr(network, name) for name in FUNCTIONS.values()}
    seconds = block_seconds(net, inputs(side), 2)
    assert set(seconds) == {*blocks(net), *FUNCTIONS, REST}
    assert list(seconds)[-1] == REST
    assert all(len(times) == 2 and min(times) > 0 for times in seconds.values())
    assert {name: getattr(network, name) for name in FUNCTIONS.values()} == plain
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
