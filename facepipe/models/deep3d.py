"""The coefficient network of Deep3DFaceRecon: a ResNet-50 with a linear head for each group of coefficients.

Source: He et al., "Deep Residual Learning" (2016), with the stride in the 3x3 convolution ("v1.5"); Deng et al.,
"Accurate 3D Face Reconstruction with Weakly-Supervised Learning" (2019); sicxu/Deep3DFaceRecon_pytorch (MIT).
Parameter names are those of its checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

SIZE_PIXELS = 224
EXPANSION = 4
#: Coefficients of each head: identity, expression, texture, angles, lighting, translation in x and y, and in z.
HEADS = (80, 64, 80, 3, 27, 2, 1)


@dataclass(frozen=True)
class Deep3dConfig:
    """Sizes of the network. The defaults are those of the published one."""

    width: int = 64
    depths: tuple[int, ...] = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    """Bottleneck block: 1x1 reduction, 3x3 convolution, 1x1 expansion, shortcut."""

    def __init__(self, inputs: int, width: int, *, stride: int) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, 4 * width, H / stride, W / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """The backbone: four levels of bottleneck blocks, then global average pooling."""

    def __init__(self, config: Deep3dConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, config.width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(config.width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = config.width
        for level, depth in enumerate(config.depths):
            width = config.width * 2**level
            blocks = []
            for block in range(depth):
                blocks.append(Bottleneck(inputs, width, stride=2 if level and not block else 1))
                inputs = width * EXPANSION
            self.add_module(f"layer{level + 1}", nn.Sequential(*blocks))
        self.levels = len(config.depths)
        self.channels = inputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, channels, 1, 1)."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for level in range(self.levels):
            x = self.get_submodule(f"layer{level + 1}")(x)
        return x.mean((2, 3), keepdim=True)


class CoefficientNetwork(nn.Module):
    """Regresses the 257 coefficients of an aligned face."""

    def __init__(self, config: Deep3dConfig | None = None) -> None:
        super().__init__()
        self.config = config or Deep3dConfig()
        self.backbone = ResNet(self.config)
        self.final_layers = nn.ModuleList(nn.Conv2d(self.backbone.channels, count, 1) for count in HEADS)
        for layer in self.final_layers:
            nn.init.zeros_(cast("nn.Conv2d", layer).weight)
            nn.init.zeros_(cast("Tensor", cast("nn.Conv2d", layer).bias))

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, 224, 224) RGB in [0, 1], without mean and deviation normalisation, to (B, 257)."""
        features = self.backbone(images)
        return torch.cat([layer(features) for layer in self.final_layers], dim=1).flatten(1)
