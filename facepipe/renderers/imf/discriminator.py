"""The discriminator of training: scores of patches at two scales."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.parametrizations import spectral_norm

from facepipe.renderers.imf.config import SLOPE, ImfConfig

KERNEL, SCALES = 4, 2


class PatchDiscriminator(nn.Module):
    """Scores patches of 46 pixels: high for real ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 4 * width, 8 * width)
        convs = [
            nn.Sequential(
                spectral_norm(nn.Conv2d(inputs, outputs, KERNEL, stride=2, padding=1)),
                nn.Identity() if inputs == widths[0] else nn.InstanceNorm2d(outputs),
                nn.LeakyReLU(SLOPE),
            )
            for inputs, outputs in pairwise(widths)
        ]
        self.net = nn.Sequential(*convs, spectral_norm(nn.Conv2d(widths[-1], 1, 1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, S, S) in [-1, 1] to scores (B, 1, S / 16, S / 16)."""
        scores: Tensor = self.net(pictures)
        return scores


class Discriminator(nn.Module):
    """Two networks of the same form, one for the picture and one for the picture of half the side."""

    def __init__(self, config: ImfConfig) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(config.width) for _ in range(SCALES))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the scores of (B, 3, S, S) in [-1, 1] at each scale."""
        scores = []
        for net in self.scales:
            scores.append(net(pictures))
            pictures = interpolate(pictures, scale_factor=0.5, mode="bilinear", align_corners=False)
        return scores
