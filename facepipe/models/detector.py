"""The face detector network: a map of face centres and boxes at 1/8 of the picture's resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from facepipe.models.blocks import InvertedResidual, conv_norm, double

STRIDE_PIXELS = 8
COARSEST_STRIDE_PIXELS = 32


@dataclass(frozen=True)
class DetectorConfig:
    """Sizes of the network; stored in the weight file."""

    widths: tuple[int, ...] = (48, 96, 160)
    depths: tuple[int, ...] = (2, 3, 3)
    expansion: int = 2


class FaceMap(NamedTuple):
    """The output of the detector for a batch of pictures. A cell covers 8x8 pixels."""

    score_logit: Tensor
    """(B, H/8, W/8), high at face centres."""
    box_log: Tensor
    """(B, 4, H/8, W/8), logarithms of the distances from the cell centre to left, top, right and bottom, in cells."""


class Detector(nn.Module):
    """Detects faces of about 14 to 240 pixels in pictures of any size divisible by 32, by centre points (CenterNet).

    Without the `head` it is the trunk of another network, which calls `features` alone.
    """

    def __init__(self, config: DetectorConfig, *, head: bool = True) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse = config.widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), *conv_norm(48, fine, kernel=3, stride=2), nn.ReLU(inplace=True))
        self.fine = self._stage(fine, config.depths[0])
        self.down_middle = nn.Sequential(*conv_norm(fine, middle, kernel=3, stride=2), nn.ReLU(inplace=True))
        self.middle = self._stage(middle, config.depths[1])
        self.down_coarse = nn.Sequential(*conv_norm(middle, coarse, kernel=3, stride=2), nn.ReLU(inplace=True))
        self.coarse = self._stage(coarse, config.depths[2])
        self.up_middle = nn.Sequential(*conv_norm(coarse, middle, kernel=1))
        self.merge_middle = self._stage(middle, 1)
        self.up_fine = nn.Sequential(*conv_norm(middle, fine, kernel=1))
        self.merge_fine = self._stage(fine, 1)
        if head:
            self.head = nn.Sequential(*conv_norm(fine, fine, kernel=3), nn.ReLU(inplace=True), nn.Conv2d(fine, 5, 1))

    def _stage(self, width: int, depth: int) -> nn.Sequential:
        return nn.Sequential(*[InvertedResidual(width, expansion=self.config.expansion) for _ in range(depth)])

    def forward(self, images: Tensor) -> FaceMap:
        """Map (B, 3, H, W) float32 RGB in [-1, 1], H and W divisible by 32, to a FaceMap."""
        out = self.head(self.features(images)).float()
        return FaceMap(score_logit=out[:, 0], box_log=out[:, 1:])

    def features(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) as in `forward` to features (B, C, H/8, W/8), C the first of the config's widths."""
        fine = self.fine(self.stem(images))
        middle = self.middle(self.down_middle(fine))
        coarse = self.coarse(self.down_coarse(middle))
        middle = self.merge_middle(torch.relu(middle + double(self.up_middle(coarse))))
        merged: Tensor = self.merge_fine(torch.relu(fine + double(self.up_fine(middle))))
        return merged
