"""The mapper's network at tiny sizes."""

from __future__ import annotations

import torch
from torch import nn

from facepipe.models.avatar_mapper import PARTS, AvatarMapper, MapperConfig, SeparateLinear

TINY = MapperConfig(5, (3, 2), 4, 8, 16, widths=(4, 6, 6, 8, 8), depths=(0, 1, 1, 0, 0), squeezed=2, points_width=8)


def inputs(count: int) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randn(count, 5, 128, 128), torch.randn(count, 3, 128, 128), torch.randn(count, 478 * 3)]


def test_shapes_of_what_a_portrait_is_mapped_to() -> None:
    mapped = AvatarMapper(TINY).eval()(*inputs(2))
    assert mapped.continuous.shape == (2, 5)
    assert mapped.logits.shape == (2, 5)
    assert mapped.parts is not None
    assert mapped.parts.shape == (2, len(PARTS), 64, 64)
    assert mapped.drawn is not None
    assert mapped.drawn.shape == (2,)
    assert 0 <= mapped.continuous.min() <= mapped.continuous.max() <= 1


def test_each_portrait_is_mapped_alone() -> None:
    net, both = AvatarMapper(TINY).eval(), inputs(2)
    second = net(*(one[1:] for one in both))
    assert torch.allclose(net(*both).logits[1:], second.logits, atol=1e-5)


def test_beta_suppresses_the_options_that_do_not_dominate() -> None:
    net = AvatarMapper(TINY)
    logits = torch.tensor([[0.6, 0.1, 0.0, -0.2, 0.2]])
    shares = [net.probabilities(logits, beta) for beta in (1.0, 5.0, 20.0)]
    for share in shares:
        assert torch.allclose(share[:, :3].sum(1), torch.ones(1))
        assert torch.allclose(share[:, 3:].sum(1), torch.ones(1))
    assert torch.allclose(shares[1][0, :3], torch.softmax(5 * logits[0, :3], 0))
    assert shares[0][0, 0] < shares[1][0, 0] < shares[2][0, 0]
    assert shares[2][0, 0] > 0.98 > shares[0][0, 0]


def test_separate_layers_equal_a_loop_of_linear_layers() -> None:
    layer = SeparateLinear(3, 4, 5)
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 4)
    expected = torch.stack([x[:, k] @ layer.weight[k] + layer.bias[k] for k in range(3)], 1)
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_the_papers_mapper_takes_codes_of_18_layers() -> None:
    net = AvatarMapper(MapperConfig.of_wplus(79, (31, 11)))
    mapped = net.of_codes(torch.randn(2, 18, 512))
    assert mapped.continuous.shape == (2, 79)
    assert mapped.logits.shape == (2, 42)
    assert mapped.parts is None
    # Every code has an MLP of its own.
    assert net.first.weight.shape == (18, 512, 512)
