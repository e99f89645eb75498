"""Layers of StyleGAN2: equalised weights, FIR filters, modulated convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

FILTER = (1.0, 3.0, 3.0, 1.0)
SLOPE, GAIN = 0.2, math.sqrt(2)
"""Of leaky ReLU; the gain restores the variance that it takes."""
EPSILON = 1e-8


def activated(x: Tensor, bias: Tensor) -> Tensor:
    """Add a bias per channel (dimension 1), and apply leaky ReLU with its gain."""
    shape = (1, -1, *[1] * (x.dim() - 2))
    return functional.leaky_relu(x + bias.view(shape), SLOPE) * GAIN


def normalised(x: Tensor) -> Tensor:
    """Scale rows (B, C) to a root mean square of 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


class EqualLinear(nn.Module):
    """A linear layer whose weights are scaled at run time, so that all layers learn at one rate."""

    def __init__(
        self, inputs: int, outputs: int, *, active: bool = False, rate: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.active, self.rate, self.scale = active, rate, rate / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, outputs)."""
        product = functional.linear(x, self.weight * self.scale)
        bias = self.bias * self.rate
        return activated(product, bias) if self.active else product + bias


class EqualConv(nn.Module):
    """A convolution without bias whose weights are scaled at run time."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H', W')."""
        return functional.conv2d(x, self.weight * self.scale, stride=self.stride, padding=self.padding)


class Bias(nn.Module):
    """A bias per channel, followed by leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (B, channels, H, W)."""
        return activated(x, self.bias)


class Blur(nn.Module):
    """The FIR filter, with zeros around the picture."""

    kernel: Tensor

    def __init__(self, padding: tuple[int, int], *, gain: float = 1.0) -> None:
        super().__init__()
        self.padding = (*padding, *padding)
        self.register_buffer("kernel", gain * _filter(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H + p - 3, W + p - 3), where p is the padding of both sides."""
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
        return functional.conv2d(functional.pad(x, self.padding), kernel, groups=x.shape[1])


class Upsample(nn.Module):
    """Doubles a picture: zeros between the pixels, then the FIR filter."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", 4 * _filter(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2 H, 2 W)."""
        kernel = self.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
        return functional.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a style, and whose outputs are brought back to unit variance.

    Inputs and outputs are scaled instead of the weights, which is equal and needs no kernel of its own per sample.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, style: int, *, demodulate: bool = True, upsample: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.modulation = EqualLinear(style, inputs, bias=1.0)
        self.scale, self.padding, self.demodulate = 1 / math.sqrt(inputs * kernel**2), kernel // 2, demodulate
        self.blur = Blur((1, 1), gain=4.0) if upsample else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and (B, style) to (B, outputs, H, W), or twice the side."""
        weight, modulation = self.scale * self.weight, self.modulation(style)
        x = x * modulation[:, :, None, None]
        if self.blur is None:
            x = functional.conv2d(x, weight, padding=self.padding)
        else:
            x = self.blur(functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        if not self.demodulate:
            return x
        variance = functional.linear(modulation.square(), weight.square().sum((2, 3)))
        return x * torch.rsqrt(variance + EPSILON)[:, :, None, None]


class Noise(nn.Module):
    """Adds one noise map to all channels, with a learned strength."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Add noise (1 or B, 1, H, W) to (B, C, H, W); none is zero noise."""
        return x if noise is None else x + self.weight * noise


class StyledConv(nn.Module):
    """A modulated convolution of 3x3, noise, bias and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, style: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, style, upsample=upsample)
        self.noise = Noise()
        self.activate = Bias(outputs)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """Map (B, inputs, H, W) and (B, style) to (B, outputs, H, W), or twice the side."""
        result: Tensor = self.activate(self.noise(self.conv(x, style), noise))
        return result


class ToRgb(nn.Module):
    """Adds a layer's share to the picture of the layers before it."""

    def __init__(self, inputs: int, style: int, *, upsample: bool = True) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.upsample = Upsample() if upsample else None

    def forward(self, x: Tensor, style: Tensor, picture: Tensor | None = None) -> Tensor:
        """Map (B, inputs, H, W), a style and the picture of half the side to a picture (B, 3, H, W)."""
        share: Tensor = self.conv(x, style) + self.bias
        return share if picture is None or self.upsample is None else share + self.upsample(picture)


def _filter(taps: Sequence[float] = FILTER) -> Tensor:
    line = torch.tensor(taps) / sum(taps)
    return line[:, None] * line[None, :]
