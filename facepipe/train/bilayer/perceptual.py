"""The perceptual loss of the published training: maps of VGG-19, with average instead of max pooling."""

from __future__ import annotations

import torch
from torch import Tensor

from facepipe.train.pirender.perceptual import VggLoss

LAYER_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


class PerceptualLoss(VggLoss):
    """Distances of (B, 3, H, W) pictures in [-1, 1]. Give it a `Vgg19Features` with averages."""

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """Return the weighted sum over five layers of the mean absolute difference."""
        with torch.no_grad():
            wanted = self.vgg(self.normalised(truth))
        gaps = [(one - other).abs().mean() for one, other in zip(self.vgg(self.normalised(made)), wanted, strict=True)]
        return torch.stack([weight * gap for weight, gap in zip(LAYER_WEIGHTS, gaps, strict=True)]).sum()
