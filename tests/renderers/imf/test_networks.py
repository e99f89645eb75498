"""The published networks: their layers against other programs' numbers, and what is computed once per source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facepipe.models.stylegan2.generator import read_official
from facepipe.renderers.imf.blocks import DownConvResBlock, UpConvResBlock
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.discriminator import Discriminator, PatchDiscriminator
from facepipe.renderers.imf.fused_tokens import FusedHalving
from facepipe.renderers.imf.net import Imf
from facepipe.renderers.imf.network import ImfNetwork
from facepipe.renderers.imf.token_decoder import TokenDecoder
from facepipe.renderers.imf.token_encoder import TokenEncoder
from tests.fixtures import load_fixture
from tests.renderers.imf.networks import SMALL, pictures, random_net


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    return load_fixture("stylegan2_small")[0]


def check_layer(layer: nn.Module, name: str, reference: dict[str, Tensor], *inputs: str) -> None:
    """Load a single layer of the reference under its own names, and compare the output."""
    prefix = f"layer.{name}.state."
    state = {key.removeprefix(prefix): value for key, value in reference.items() if key.startswith(prefix)}
    layer.load_state_dict(read_official(state), strict=True)
    found = layer(*(reference[f"layer.{name}.in.{one}"] for one in inputs))
    torch.testing.assert_close(found, reference[f"layer.{name}.out.y"], rtol=1e-4, atol=1e-4)


def test_layers_of_the_token_encoder_agree(reference: dict[str, Tensor]) -> None:
    """Stem, halving block (plain and fused) and the layer that makes the token."""
    check_layer(TokenEncoder(widths=(14, 14), token_size=3).stem, "convlayer_flat", reference, "x")
    block: Any = TokenEncoder(widths=(10, 14), token_size=3).blocks[0]
    check_layer(block, "resblock", reference, "x")
    fused = FusedHalving(block, torch.float32)(reference["layer.resblock.in.x"])
    torch.testing.assert_close(fused, reference["layer.resblock.out.y"], rtol=1e-4, atol=1e-4)
    check_layer(TokenEncoder(widths=(10, 20), token_size=13).linears[-1], "equallinear_plain", reference, "x")
    active = TokenEncoder(widths=(10, 20), token_size=13, active=True)
    assert [layer.active for layer in active.linears] == [True] * 4 + [False]


def test_layers_of_the_token_decoder_agree(reference: dict[str, Tensor]) -> None:
    decoder = TokenDecoder(widths=(12, 9), levels=1, token_size=16)
    check_layer(decoder.ups[0], "styledconv_up", reference, "x", "style", "noise")
    assert {type(layer) for layer in [decoder.first, *decoder.flats, *decoder.ends]} == {type(decoder.ups[0])}


def test_token_decoder_has_13_convolutions_in_the_published_size() -> None:
    config = ImfConfig()
    with torch.device("meta"):
        decoder = TokenDecoder(widths=config.trunk_widths, levels=4, token_size=32)
        motion = decoder(torch.zeros(1, 32))
    assert 1 + sum(len(part) for part in (decoder.ups, decoder.flats, decoder.ends)) == 13
    assert [maps.shape[1:] for maps in motion] == [(256, 64, 64), (512, 32, 32), (512, 16, 16), (512, 8, 8)]


def test_features_of_the_published_size() -> None:
    with torch.device("meta"):
        features = Imf(ImfConfig()).dense_encoder(torch.zeros(1, 3, 256, 256))
    assert [maps.shape[1:] for maps in features] == [(128, 64, 64), (256, 32, 32), (512, 16, 16), (512, 8, 8)]


def test_side_branches_leave_the_trunk_alone() -> None:
    """The coarse level's last convolution changes that level only."""
    torch.manual_seed(0)
    decoder = TokenDecoder(widths=(8, 8, 4), levels=2, token_size=5)
    tokens = torch.randn(2, 5)
    before = decoder(tokens)
    decoder.get_parameter("ends.0.activate.bias").data += 1
    after = decoder(tokens)
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


def test_blocks_change_the_side() -> None:
    x = torch.randn(2, 8, 8, 8)
    assert DownConvResBlock(8, 12, "batch")(x).shape == (2, 12, 4, 4)
    assert UpConvResBlock(8, 12, "group")(x).shape == (2, 12, 16, 16)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value_projection": "linear"},
        {"positions": "sine"},
        {"norm": "group"},
        {"active_token_layers": True},
        {"first_level": "shared"},
        {"first_level": "window"},
    ],
)
def test_cached_source_gives_the_same_pictures(changes: dict[str, Any]) -> None:
    """What is prepared once serves every frame, alone and in batches."""
    net = random_net(replace(SMALL, **changes))
    x = pictures(4)
    sources, driving = x[:1], x[1:]
    expected = net(sources.expand(3, -1, -1, -1), driving)
    network: ImfNetwork = net
    tokens, prepared = network.token(driving), network.prepare(sources)
    assert tokens.shape == (3, network.token_size)
    torch.testing.assert_close(network.render(prepared, tokens), expected, rtol=0, atol=1e-5)
    one = torch.cat([network.render(prepared, token[None]) for token in tokens])
    torch.testing.assert_close(one, expected, rtol=0, atol=1e-5)
    assert (expected[0] - expected[1]).abs().max() > 1e-3
    assert (network.render(network.prepare(x[1:2]), tokens[:1]) - expected[:1]).abs().max() > 1e-3


def test_every_parameter_learns() -> None:
    """Except the strengths of noise, which there is none of, and offsets that do not change an attention."""
    net = random_net(replace(SMALL, value_projection="linear")).train().requires_grad_(True)
    x = pictures(4)
    (net(x[:2], x[2:]) * torch.randn(2, 3, 32, 32)).sum().backward()
    idle = {name for name, parameter in net.named_parameters() if parameter.grad is None or not parameter.grad.any()}
    assert all(name.endswith("noise.weight") for name in idle)


def test_discriminator_sees_two_scales() -> None:
    config = ImfConfig.of("tiny")
    scores = Discriminator(config)(pictures(2, 64))
    assert [one.shape for one in scores] == [(2, 1, 4, 4), (2, 1, 2, 2)]


def test_discriminator_judges_patches_of_46_pixels() -> None:
    """Without instance norms, which see the whole picture."""
    net = PatchDiscriminator(4)
    for layer in net.net:
        if isinstance(layer, nn.Sequential):
            layer[1] = nn.Identity()
    x = pictures(1, 128).requires_grad_()
    net(x)[0, 0, 4, 4].backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)) > 0
    assert (int(seen.any(0).sum()), int(seen.any(1).sum())) == (46, 46)
