"""How the compact network is measured, on one so small that it takes no time."""

from __future__ import annotations

import pytest
import torch

from facepipe.bench.blocks import FUNCTIONS, REST, block_seconds, blocks
from facepipe.bench.figure import Bar
from facepipe.bench.renderers import compact
from facepipe.renderers.compact import net as network
from facepipe.renderers.compact.net import CompactNet
from tests.renderers.compact.test_net import TINY


def small(dtype: torch.dtype) -> CompactNet:
    torch.manual_seed(0)
    net = CompactNet(TINY).eval().requires_grad_(False)
    return net.to(dtype)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "compact_net", small)
    monkeypatch.setattr(compact, "SIDE", 64)
    monkeypatch.setattr(compact, "LARGE_SIDE", 128)
    monkeypatch.setattr(compact, "FRAMES", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fastest precision, plain form and larger pictures in turns; the ratio; full precision; and blocks."""
    monkeypatch.setattr(compact, "bfloat16_is_fast", lambda: True)
    threads = torch.get_num_threads()
    figures = {figure.name: figure for figure in compact.measure(1)}
    names = list(figures)
    first = [f"compact bf16, batches of {count}" for count in (1, 2, 4, 8)]
    assert names[:7] == [
        *first,
        "compact plain",
        "compact at 128, batches of 4",
        "compact bf16, batches of 4 to plain",
    ]
    assert names[7:11] == [name.replace("bf16", "fp32") for name in first]
    assert figures["compact bf16, batches of 4"].bar == Bar(40, "at least")
    assert figures["compact fp32, batches of 4"].bar == Bar(10, "at least")
    best = {name: max(figures[name].values) for name in ("compact bf16, batches of 4", "compact plain")}
    ratio = figures["compact bf16, batches of 4 to plain"]
    assert ratio.unit == "times"
    assert ratio.median == pytest.approx(best[first[2]] / best["compact plain"])
    assert names[11:] == [f"  {name}" for name in block_seconds(small(torch.float32), inputs(), 1)]
    assert torch.get_num_threads() == threads


def inputs(side: int = 0) -> tuple[torch.Tensor, ...]:
    return compact.inputs(2, torch.float32, side)


def test_where_nothing_is_faster_full_precision_is_held_against_the_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "bfloat16_is_fast", lambda: False)
    names = [figure.name for figure in compact.measure(1)]
    assert "compact fp32, batches of 4 to plain" in names
    assert not [name for name in names if "bf16" in name]


@pytest.mark.parametrize("side", [64, 128])
def test_every_part_has_its_time(side: int) -> None:
    """Parts and the rest are the whole; nothing stays that would time the network when it is used."""
    net, plain = small(torch.float32), {name: getattr(network, name) for name in FUNCTIONS.values()}
    spent = block_seconds(net, inputs(side), 2)
    assert set(spent) == {*blocks(net), *FUNCTIONS, REST}
    assert list(spent)[-1] == REST
    assert all(len(times) == 2 and min(times) > 0 for times in spent.values())
    assert {name: getattr(network, name) for name in FUNCTIONS.values()} == plain
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
