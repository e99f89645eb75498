"""LPIPS, the distance of two pictures in the features of a network (Zhang et al. 2018, version 0.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from facepipe.models.alexnet import LAYERS, AlexNetFeatures

Trunk = Callable[[Tensor], Sequence[Tensor]]
# Mean and standard deviation of ImageNet pixels, converted from [0, 1] to [-1, 1].
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
NEVER_ZERO = 1e-10


class Lpips:
    """LPIPS: a trunk network, and a weight for each channel of its feature maps."""

    def __init__(self, trunk: Trunk, shares: Sequence[Tensor]) -> None:
        """`trunk` computes feature maps of (B, 3, H, W) pictures; `shares` has the channel weights (C,) of each map."""
        self.trunk, self.shares = trunk, [share.reshape(1, -1, 1, 1).float() for share in shares]
        self.shift, self.scale = (torch.tensor(three).reshape(1, 3, 1, 1) for three in (SHIFT, SCALE))

    @torch.inference_mode()
    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distances (B,) of (B, 3, H, W) float32 RGB pictures in [-1, 1]."""
        total = torch.zeros(len(first))
        maps = (self.trunk((pictures - self.shift) / self.scale) for pictures in (first, second))
        for one, other, share in zip(*maps, self.shares, strict=True):
            total += ((unit(one) - unit(other)) ** 2 * share).sum(1).mean((1, 2))
        return total


def unit(maps: Tensor) -> Tensor:
    """Normalise (B, C, h, w) feature maps to channel vectors of length 1."""
    return maps / (maps.pow(2).sum(1, keepdim=True).sqrt() + NEVER_ZERO)


def lpips_of(alexnet: Mapping[str, Tensor], shares: Mapping[str, Tensor]) -> Lpips:
    """Return LPIPS of torchvision's AlexNet and the authors' `alex.pth`.

    Raises KeyError or RuntimeError where the tensors are not those of such networks.
    """
    trunk = AlexNetFeatures()
    trunk.load_state_dict({name: tensor for name, tensor in alexnet.items() if name.startswith("features.")})
    trunk.eval().requires_grad_(False)
    return Lpips(trunk, [shares[f"lin{place}.model.1.weight"] for place in range(len(LAYERS))])
