"""A patch discriminator for the last phase: real texture, given what the prior made of it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Judge patches of a picture beside the same patches of the prior (pix2pix, section 3.2; hinge loss)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        sizes = ((2 * 3 * 4, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1))
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1)) for inputs, outputs, stride in sizes
        )
        self.judge = spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, picture: Tensor, prior: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Take two (B, 3, S, S), give (B, 1, S / 8, S / 8) scores and the features before them."""
        x = torch.cat([functional.pixel_unshuffle(picture, 2), functional.pixel_unshuffle(prior, 2)], 1)
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return cast("Tensor", self.judge(x)), features


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's loss."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def matching(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Return the mean L1 distance of the features of both."""
    return torch.stack([(a - b.detach()).abs().mean() for a, b in zip(fake, real, strict=True)]).mean()
