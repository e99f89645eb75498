"""The compact implicit motion network and its layers, against slow references."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.layers import StyledConv, cells, enlarged, reduced, sampled
from facepipe.renderers.imf.compact.net import ImfCompact

TINY = ImfCompactConfig(
    side_pixels=64,
    token=8,
    token_pixels=32,
    encoder_widths=(8, 8, 8, 8),
    encoder_depths=(1, 1, 1, 1),
    encoder_head=8,
    motion_widths=(16, 16, 16),
    key=16,
    feature_widths=(8, 12, 16),
    frame_widths=(8, 12, 16),
)
DEEPER = replace(
    TINY,
    side_pixels=128,
    token_pixels=64,
    motion_widths=(16, 16, 12, 16),
    feature_widths=(8, 12, 16, 12),
    frame_widths=(8, 12, 16, 12),
)


def net_of(config: ImfCompactConfig = DEEPER) -> ImfCompact:
    torch.manual_seed(0)
    net = ImfCompact(config).eval()
    # A refinement that refines, as after training.
    torch.nn.init.normal_(net.shift.weight, std=0.05)
    return net


def pictures(count: int, side: int = 128) -> torch.Tensor:
    """Smooth pictures: in noise, the rounding of a place changes a pixel by more than that."""
    small = torch.rand(count, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return functional.interpolate(small, size=(side, side), mode="bicubic").clamp(-1, 1)


def test_the_embedded_sizes() -> None:
    """At most 12 MB as float16, and a token of 32 numbers."""
    net = ImfCompact(ImfCompactConfig())
    assert sum(one.numel() for one in net.state_dict().values()) * 2 <= 12e6
    assert (net.token_size, net.side_pixels) == (32, 256)


@torch.inference_mode()
@pytest.mark.parametrize("config", [TINY, DEEPER], ids=["64", "128"])
def test_cached_equals_uncached(config: ImfCompactConfig) -> None:
    """A prepared reference serves a batch of tokens as each frame alone, and as a batch of references."""
    net, side = net_of(config), config.side_pixels
    source, current = pictures(1, side), pictures(3, side)
    cached = net.render(net.prepare(source), net.token(current))
    assert cached.shape == (3, 3, side, side)
    assert cached.abs().max() <= 1
    alone = torch.cat([net(source, one[None]) for one in current])
    torch.testing.assert_close(cached, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(cached, net(source.expand(3, -1, -1, -1), current), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_untrained_network_moves_nothing() -> None:
    """Attention of identical frames has its maximum on the diagonal, and carries the reference to its own place."""
    net = ImfCompact(replace(DEEPER, key=64)).eval()
    source = pictures(1)
    made = net.made(net.prepare(source), net.motion_decoder(net.token(source)))
    count = made.placed.shares.shape[1]
    assert made.placed.shares.shape == (1, 256, 256)
    assert (made.placed.shares[0].argmax(1) == torch.arange(count)).all()
    own = cells(32).T.reshape(1, 2, 32, 32)
    assert (made.placed.position - own).abs().mean() * 64 < 2


@torch.inference_mode()
def test_attention_is_the_formula_of_the_paper() -> None:
    net = net_of()
    prepared, motion = net.prepare(pictures(1)), net.motion_decoder(torch.randn(2, 8))
    for level, alignment in enumerate(net.alignments):
        maps, values = motion.keys[level], prepared[f"values{level}"]
        query = maps.flatten(2).transpose(1, 2) * alignment.gain + alignment.queries
        keys = prepared[f"keys{level}"].expand(2, -1, -1)
        logits = torch.einsum("bqc,bkc->bqk", query, keys) * alignment.sharpness.exp()  # type: ignore[operator]
        wanted = torch.einsum("bqk,bck->bcq", logits.softmax(-1), values.flatten(2).expand(2, -1, -1))
        found = net._attended(level, prepared, maps)
        torch.testing.assert_close(found.flatten(2), wanted, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_bfloat16_keeps_tokens_and_positions() -> None:
    """Tokens, scales and positions stay float32: a position in bfloat16 would be wrong by half a pixel."""
    net, source, current = net_of(), pictures(1), pictures(2)
    prepared, tokens = net.prepare(source), net.token(current)
    wanted = net.made(prepared, net.motion_decoder(tokens))
    with torch.autocast("cpu", torch.bfloat16):
        found = net.made(prepared, net.motion_decoder(tokens))
        assert net.token(current).dtype == found.placed.position.dtype == torch.float32
    assert (found.picture - wanted.picture).abs().mean() < 0.02
    assert (found.placed.position - wanted.placed.position).abs().mean() * 64 < 0.3


def test_a_styled_convolution_equals_one_with_weights_of_its_own() -> None:
    torch.manual_seed(0)
    layer = StyledConv(5, 7, 8)
    x, token = torch.randn(3, 5, 6, 6), torch.randn(3, 8)
    for row in range(3):
        weight = layer.weight * layer.modulation(token[row])[None, :, None, None]
        weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        y = functional.conv2d(x[row : row + 1], weight, padding=1) * 2**0.5 + layer.bias[:, None, None]
        torch.testing.assert_close(layer(x, token)[row : row + 1], functional.leaky_relu(y, 0.2))


def test_places_are_enlarged_beyond_the_outermost_cells() -> None:
    """An affine map of places stays one: nothing bends at the border."""
    matrix, shift = torch.tensor([[0.9, 0.1], [-0.2, 1.1]]), torch.tensor([0.05, -0.1])

    def places(side: int) -> torch.Tensor:
        return (cells(side) @ matrix.T + shift).T.reshape(1, 2, side, side)

    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    torch.testing.assert_close(enlarged(places(8), 64)[inner], places(64)[inner])
    same = cells(8).T.reshape(1, 2, 8, 8)
    torch.testing.assert_close(enlarged(same, 64), cells(64).T.reshape(1, 2, 64, 64))


def test_pictures_are_reduced_with_a_filter() -> None:
    found = reduced(pictures(2, 64), 40)
    torch.testing.assert_close(
        found, functional.interpolate(pictures(2, 64), size=(40, 40), mode="bilinear", antialias=True)
    )


def test_maps_are_sampled_at_places() -> None:
    """The middles of cells give the cells, and places between them the mean."""
    maps = pictures(1, 8)
    torch.testing.assert_close(sampled(maps, cells(8).T.reshape(1, 2, 8, 8)), maps)
    between = torch.tensor([-0.75, -0.875]).view(1, 2, 1, 1)
    torch.testing.assert_close(sampled(maps, between)[0, :, 0, 0], maps[0, :, 0, :2].mean(1))
