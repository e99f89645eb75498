"""Convolutional blocks of the dense encoder and of the frame decoder (figure 1(f) of the supplementary)."""

from __future__ import annotations

from math import gcd

from torch import Tensor, nn

from facepipe.models.blocks import double
from facepipe.renderers.imf.config import Norm

GROUPS = 32
"""Groups of a group norm, or fewer if the channels are no multiple of it."""


def norm_of(channels: int, kind: Norm) -> nn.Module:
    """Return a norm of maps."""
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(gcd(GROUPS, channels), channels)


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the side."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class FeatResBlock(nn.Module):
    """Two times norm, ReLU and convolution; then the sum with the input, and ReLU."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm_of(width, norm), conv3(width, width)
        self.norm2, self.conv2 = norm_of(width, norm), conv3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (B, width, H, W)."""
        inner = self.conv1(self.norm1(x).relu())
        made: Tensor = (x + self.conv2(self.norm2(inner).relu())).relu()
        return made


class Entry(nn.Module):
    """Convolution, norm, ReLU: what changes the width in the blocks below, and the stem of the encoder."""

    def __init__(self, inputs: int, outputs: int, norm: Norm, *, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = norm_of(outputs, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        made: Tensor = self.norm(self.conv(x)).relu()
        return made


class DownConvResBlock(nn.Module):
    """Halves the side, by average pooling."""

    def __init__(self, inputs: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        self.entry, self.conv = Entry(inputs, outputs, norm), conv3(outputs, outputs)
        self.blocks = nn.Sequential(FeatResBlock(outputs, norm), FeatResBlock(outputs, norm))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        made: Tensor = self.blocks(self.conv(nn.functional.avg_pool2d(self.entry(x), 2)))
        return made


class UpConvResBlock(nn.Module):
    """Doubles the side, by repetition of pixels."""

    def __init__(self, inputs: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        self.entry, self.conv = Entry(inputs, outputs, norm), conv3(outputs, outputs)
        self.blocks = nn.Sequential(FeatResBlock(outputs, norm), FeatResBlock(outputs, norm))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        made: Tensor = self.blocks(self.conv(self.entry(double(x))))
        return made
