"""The matting network: a soft matte of the person in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facepipe.models.blocks import InvertedResidual, conv_norm, double
from facepipe.models.detector import Detector, DetectorConfig

STRIDE_PIXELS = 32


@dataclass(frozen=True)
class MattingConfig:
    """Sizes of the network; stored in the weight file."""

    widths: tuple[int, ...] = (48, 96, 160)
    depths: tuple[int, ...] = (2, 3, 5)
    expansion: int = 2
    quarter_channels: int = 32
    half_channels: int = 16


class Matting(nn.Module):
    """Maps pictures of any size divisible by 32 to the logits of a matte.

    The trunk is that of the face detector at 1/8 of the resolution, so that training can start from it. Two light
    layers at 1/4 and 1/2 join its features with the pixels of the picture; pixel-shuffle makes the full resolution.
    """

    def __init__(self, config: MattingConfig) -> None:
        super().__init__()
        self.config = config
        quarter, half = config.quarter_channels, config.half_channels
        self.trunk = Detector(DetectorConfig(config.widths, config.depths, config.expansion), head=False)
        self.up_quarter = nn.Sequential(*conv_norm(config.widths[0], quarter, kernel=1))
        self.see_quarter = nn.Sequential(nn.PixelUnshuffle(4), *conv_norm(48, quarter, kernel=3))
        self.merge_quarter = InvertedResidual(quarter, expansion=config.expansion)
        self.up_half = nn.Sequential(*conv_norm(quarter, half, kernel=1))
        self.see_half = nn.Sequential(nn.PixelUnshuffle(2), *conv_norm(12, half, kernel=3))
        self.merge_half = nn.Sequential(*conv_norm(half, half, kernel=3), nn.ReLU(inplace=True))
        self.head = nn.Sequential(nn.Conv2d(half, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) float32 RGB in [-1, 1], H and W divisible by 32, to (B, H, W) float32 logits."""
        quarter = torch.relu(double(self.up_quarter(self.trunk.features(images))) + self.see_quarter(images))
        half = torch.relu(double(self.up_half(self.merge_quarter(quarter))) + self.see_half(images))
        logit: Tensor = self.head(self.merge_half(half))
        return logit[:, 0].float()
