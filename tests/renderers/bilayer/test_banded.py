"""The networks of initialisation in bands against the plain ones."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.banded import BandedBlock, BandedNorm, accelerated
from facepipe.renderers.bilayer.blocks import Kind, ResidualBlock
from facepipe.rendering import bands
from tests.renderers.bilayer.networks import person, random_net
from tests.renderers.bilayer.official import close


@pytest.fixture(autouse=True)
def _several_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "MIN_ROWS", 2)


@pytest.mark.parametrize("kind", ["down", "same", "up"])
@pytest.mark.parametrize("outputs", [6, 4])
def test_blocks(kind: Kind, outputs: int) -> None:
    """In double precision: at the borders of bands and of the picture too."""
    torch.manual_seed(0)
    block = ResidualBlock(6, outputs, kind=kind, spectral=False).double().eval().requires_grad_(False)
    x = torch.randn(2, 6, 16, 12, dtype=torch.float64)
    expected, kept = block(x), x.clone()
    made = BandedBlock(deepcopy(block), bands.Bands(2))(x)
    assert expected.std() > 0.1
    close(made, expected, 1e-12)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("count", [1, 2])
def test_initialisation(count: int) -> None:
    net, arguments = random_net(), [part[:count] for part in person(2)]
    plain = net.initialise(*arguments, enhance=True)
    fast = accelerated(deepcopy(net), 2)
    kinds = [type(module) for module in fast.modules()]
    # Three blocks of the embedder's encoder or fewer, two of the texture generator, five of the enhancer.
    assert kinds.count(BandedBlock) >= 8
    assert kinds.count(BandedNorm) == 1
    made = fast.initialise(*arguments, enhance=True)
    assert plain.keys() == made.keys()
    for name, tensor in plain.items():
        close(made[name], tensor)
    assert plain["texture"].std() > 0.1


def test_the_number_of_threads_changes_no_byte() -> None:
    arguments = person(1)

    def made(threads: int) -> dict[str, Tensor]:
        return accelerated(random_net(), threads).initialise(*arguments, enhance=True)

    once = made(1)
    for threads in (2, 3):
        other = made(threads)
        assert all(torch.equal(tensor, other[name]) for name, tensor in once.items())


def test_other_blocks_stay_plain() -> None:
    """Blocks whose first norm is not adaptive, and those of the inference generator, which is merged."""
    net = accelerated(random_net(), 1)
    assert isinstance(net.texture_generator.gen_tex.blocks[0], ResidualBlock)
    assert not any(isinstance(module, BandedBlock) for module in net.inference_generator.modules())
    assert isinstance(net.identity_embedder.net["dec_blocks"], nn.ModuleList)
