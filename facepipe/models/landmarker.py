"""The landmarker network: 478 points and a face score from a square crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from facepipe.models.blocks import InvertedResidual, conv_norm

POINT_COUNT = 478


@dataclass(frozen=True)
class LandmarkerConfig:
    """Sizes of the network; stored in the weight file, so that the network can be built from the file alone."""

    size_pixels: int = 128
    widths: tuple[int, ...] = (48, 96, 160, 256)
    depths: tuple[int, ...] = (2, 3, 3, 2)
    expansion: int = 2
    head_channels: int = 64
    code: int = 256


class Landmarks(NamedTuple):
    """The output of the landmarker for a batch of crops."""

    points: Tensor
    """(B, 478, 3), in units of the crop's side; x and y from its top left corner, z decreasing towards the camera."""
    face_logit: Tensor
    """(B,), above 0 if the crop contains a face."""


class Landmarker(nn.Module):
    """Regresses the mesh points of the face in a crop.

    Pixel-unshuffle comes first, so that no layer runs at full resolution. The last layer is a linear shape model around
    a mean; training initialises it with the principal components of real faces.
    """

    def __init__(self, config: LandmarkerConfig) -> None:
        super().__init__()
        widths = config.widths
        self.config = config
        stages: list[nn.Module] = [
            nn.PixelUnshuffle(2),
            *conv_norm(12, widths[0], kernel=3, stride=2),
            nn.ReLU(inplace=True),
        ]
        for level, (width, depth) in enumerate(zip(widths, config.depths, strict=True)):
            if level:
                stages += [*conv_norm(widths[level - 1], width, kernel=3, stride=2), nn.ReLU(inplace=True)]
            stages += [InvertedResidual(width, expansion=config.expansion) for _ in range(depth)]
        self.features = nn.Sequential(
            *stages, *conv_norm(widths[-1], config.head_channels, kernel=1), nn.ReLU(inplace=True)
        )
        self.cells = config.size_pixels // 2 ** (len(widths) + 1)
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(config.head_channels * self.cells**2, config.code))
        self.shape = nn.Linear(config.code, POINT_COUNT * 3)
        self.face = nn.Linear(config.code, 1)

    def forward(self, images: Tensor) -> Landmarks:
        """Map (B, 3, S, S) float32 RGB crops in [-1, 1] to Landmarks."""
        return self.read(self.features(images))

    def read(self, features: Tensor) -> Landmarks:
        """Compute points and score from the output of `features`, in the precision of the last layers."""
        code = self.encode(features.to(self.shape.weight.dtype))
        points = self.shape(code).view(-1, POINT_COUNT, 3)
        return Landmarks(points=points.float(), face_logit=self.face(torch.relu(code)).squeeze(1).float())
