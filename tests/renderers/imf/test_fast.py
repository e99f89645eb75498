"""The fused form against the plain networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from facepipe.models.packed import supports as onednn_supports
from facepipe.renderers.imf import quick_attention
from facepipe.renderers.imf.attention import attend
from facepipe.renderers.imf.fast import FastImf, fastest
from facepipe.renderers.imf.network import ImfNetwork
from tests.renderers.imf.networks import SMALL, pictures, random_net


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value_projection": "linear"},
        {"positions": "sine", "active_token_layers": True},
        {"heads": 4},
        {"side_pixels": 64, "depth": 1},
    ],
)
def test_fused_networks_are_the_plain_ones(changes: dict[str, Any]) -> None:
    config = replace(SMALL, **changes)
    net = random_net(config)
    x = pictures(3, config.side_pixels)
    expected = net(x[:1].expand(2, -1, -1, -1), x[1:])
    fast: ImfNetwork = FastImf(net)
    prepared, tokens = fast.prepare(x[:1]), fast.token(x[1:])
    torch.testing.assert_close(tokens, net.token(x[1:]), rtol=1e-4, atol=1e-5)
    for name, tensor in net.prepare(x[:1]).items():
        torch.testing.assert_close(prepared[name], tensor, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fast.render(prepared, tokens), expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.02
    assert (expected[0] - expected[1]).abs().max() > 1e-3


@pytest.mark.parametrize("tiles", [False, True])
def test_quick_attention_is_attention(tiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tiles where the processor has them, in vectors, and by torch where neither fits or sees the scores."""
    if tiles and not quick_attention.has_tiles():
        pytest.skip("this processor has no AMX")
    monkeypatch.setattr(quick_attention, "has_tiles", lambda: tiles)
    torch.manual_seed(0)
    for count, width, heads in ((512, 16, 2), (512, 48, 1), (500, 16, 2), (64, 16, 2)):
        queries, keys, values = (torch.randn(count, width) for _ in range(3))
        for long in (1.0, 400.0):  # keys far longer than the scores
            keys[:, 0], queries[:, 0] = long, 1 if long == 1 else 0
            found = quick_attention.attend_quickly(queries, keys, values, heads=heads)
            expected = attend(queries[None], keys[None], values[None], heads=heads)[0]
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_frames_do_not_depend_on_each_other() -> None:
    fast = FastImf(random_net())
    x = pictures(4)
    prepared, tokens = fast.prepare(x[:1]), fast.token(x[1:])
    batch = fast.render(prepared, tokens)
    for place in range(3):
        assert torch.equal(fast.render(prepared, tokens[place : place + 1])[0], batch[place])


def test_half_precision_is_close() -> None:
    if not onednn_supports(torch.bfloat16):
        pytest.skip("oneDNN lacks bfloat16 here")
    net = random_net()
    x = pictures(2)
    expected = net(x[:1], x[1:])
    fast = FastImf(net, torch.bfloat16)
    made = fast.render(fast.prepare(x[:1]), fast.token(x[1:]))
    assert made.dtype == torch.float32
    assert 0 < (made - expected).abs().mean() < 0.02


@pytest.mark.parametrize("changes", [{"norm": "group"}, {"first_level": "window"}, {"first_level": "shared"}])
def test_networks_without_a_fused_form(changes: dict[str, Any]) -> None:
    net = random_net(replace(SMALL, **changes))
    with pytest.raises(ValueError, match="fast form"):
        FastImf(net)
    assert fastest(net, torch.device("cpu"), torch.float32) is net


def test_the_fastest_form_on_a_cpu_is_fused() -> None:
    assert isinstance(fastest(random_net(), torch.device("cpu"), torch.float32), FastImf)
