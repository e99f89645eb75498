"""Tiny networks with random weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facepipe.bench.renderers.imf import settle, smooth_pictures
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.net import Imf

SMALL = ImfConfig(side_pixels=32, width=8, token_size=6, depth=2, heads=2, value_projection="none")
"""Two levels, of 8 and 4 pixels. Heads of the first have 8 channels, which have an attention of their own."""


def random_net(config: ImfConfig = SMALL) -> Imf:
    """Return networks in eval mode, whose norms matter, and whose pictures differ from token to token."""
    torch.manual_seed(5)
    net = Imf(config).eval().requires_grad_(False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
        if isinstance(module, nn.GroupNorm):
            module.eps = 0.1  # for maps that hardly vary, as below
        if isinstance(module, nn.Linear):
            module.weight.mul_(2)
    # Without these, all tokens are close to zero, and all pixels attend to all others alike.
    for linear in net.token_encoder.linears:
        linear.weight.mul_(2)  # type: ignore[operator]
    for level in net.alignment.levels:
        for table in (level.position_q, level.position_k):
            table.mul_(10 if config.positions == "learned" else 1)  # type: ignore[operator]
    net.frame_decoder.last.weight.mul_(0.5)
    settle(net, pictures(6, net.side_pixels))
    return net


def pictures(count: int, side: int = SMALL.side_pixels) -> Tensor:
    """Return (count, 3, side, side) in [-1, 1]."""
    torch.manual_seed(6)
    return smooth_pictures(count, side)
