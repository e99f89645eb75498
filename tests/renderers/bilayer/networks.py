"""Tiny networks with random weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.published import Bilayer

SMALL = BilayerConfig(
    side_pixels=32,
    embedder_width=8,
    embedder_widest=16,
    texture_width=8,
    texture_widest=16,
    inference_width=4,
    inference_widest=8,
    pose_width=12,
    enhancer_width=4,
    enhancer_widest=8,
    enhancer_side=16,
    enhancer_blocks=2,
    discriminator_width=4,
    discriminator_widest=8,
    discriminator_blocks=3,
)


def random_net(config: BilayerConfig = SMALL) -> Bilayer:
    """Return networks in eval mode, whose batch norms have statistics that matter."""
    torch.manual_seed(5)
    net = Bilayer(config).eval().requires_grad_(False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.02, 0.2)
    return net


def person(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return pictures, mattes and keypoints for `Bilayer.initialise`."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(count, 3, 32, 32, generator=generator) * 2 - 1
    mattes = torch.rand(count, 1, 32, 32, generator=generator)
    return pictures, mattes, torch.rand(count, 68, 2, generator=generator) * 2 - 1
