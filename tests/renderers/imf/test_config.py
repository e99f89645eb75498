"""Sizes of the networks, and parameter counts of the paper's drawings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from facepipe.renderers.imf.config import ImfConfig, Size
from facepipe.renderers.imf.discriminator import Discriminator
from facepipe.renderers.imf.net import Imf
from tests.renderers.imf.networks import SMALL

# Millions of parameters, from the layers that the supplementary draws.
COMMON = {"dense_encoder": 31.4, "token_encoder": 17.8, "token_decoder": 26.2}
READINGS: Mapping[str, tuple[float, tuple[float, ...], float]] = {
    "none": (55.5, (2.9, 4.2, 12.9, 12.7), 163),
    "linear": (69.5, (5.3, 13.8, 13.1, 12.9), 190),
}


def millions(net: nn.Module) -> float:
    return sum(parameter.numel() for parameter in net.parameters()) / 1e6


def unallocated(config: ImfConfig) -> Imf:
    with torch.device("meta"):
        return Imf(config)


@pytest.mark.parametrize("reading", READINGS)
def test_parameters_of_the_published_size(reading: Any) -> None:
    decoder, levels, total = READINGS[reading]
    net = unallocated(ImfConfig(value_projection=reading))
    for name, count in {**COMMON, "frame_decoder": decoder}.items():
        assert millions(net.get_submodule(name)) == pytest.approx(count, abs=0.06), name
    assert [millions(level) for level in net.alignment.levels] == pytest.approx(levels, abs=0.06)
    assert millions(net) == pytest.approx(total, abs=0.6)


@pytest.mark.parametrize(("size", "total"), [("half", 42), ("quarter", 11)])
def test_parameters_of_the_narrow_sizes(size: Size, total: int) -> None:
    assert round(millions(unallocated(ImfConfig.of(size)))) == total


def test_parameters_of_the_discriminator() -> None:
    with torch.device("meta"):
        scales = Discriminator(ImfConfig()).scales
    assert [round(millions(net), 2) for net in scales] == [2.76, 2.76]


def test_levels_at_other_resolutions() -> None:
    """A level below 4 pixels does not exist; above 256 pixels, the token decoder doubles more often."""
    sides = {side: ImfConfig(side_pixels=side).level_sides for side in (32, 64, 128, 512)}
    assert sides == {32: (8, 4), 64: (16, 8, 4), 128: (32, 16, 8, 4), 512: (128, 64, 32, 16)}
    wide = ImfConfig(side_pixels=512)
    assert wide.trunk_widths == (512, 512, 512, 512, 512, 256)
    assert wide.token_widths == (64, 64, 128, 256, 512, 512, 512, 512)


@pytest.mark.parametrize("side", [16, 64, 128])
def test_networks_at_other_resolutions(side: int) -> None:
    config = ImfConfig.of("tiny", side_pixels=side)
    with torch.device("meta"):
        made = Imf(config)(torch.zeros(2, 3, side, side), torch.zeros(2, 3, side, side))
    assert made.shape == (2, 3, side, side)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side_pixels": 200}, "a power of two"),
        ({"side_pixels": 8}, "at least 16"),
        ({"heads": 3}, "a divisor of the widths"),
        ({"width": 6}, "a multiple of 4"),
        ({"depth": 0}, "depth is 0"),
        ({"norm": "layer"}, "batch or group"),
        ({"value_projection": "both"}, "none or linear"),
        ({"side_pixels": 16, "first_level": "shared"}, "full or window"),
    ],
)
def test_sizes_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImfConfig.of("tiny", **changes)


def test_the_small_network_is_small() -> None:
    """Tests build it many times."""
    assert millions(unallocated(SMALL)) < 1
