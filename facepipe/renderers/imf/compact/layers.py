"""Layers of the compact implicit motion network."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
EPSILON = 1e-8


def activated(x: Tensor) -> Tensor:
    """Apply leaky ReLU."""
    return functional.leaky_relu(x, SLOPE)


def doubled(x: Tensor) -> Tensor:
    """Enlarge (B, C, H, W) twice, bilinearly."""
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def reduced(pictures: Tensor, side: int) -> Tensor:
    """Resize (B, C, S, S) to a smaller side, with a triangle filter against aliasing, by matrix products."""
    if side == pictures.shape[-1]:
        return pictures
    rows = _triangles(pictures.shape[-1], side).to(pictures)
    return rows @ (pictures @ rows.T)


@lru_cache
def _triangles(many: int, few: int) -> Tensor:
    # The matrix is cached; one made in inference mode could not be used in training.
    with torch.inference_mode(False):
        lines = torch.eye(many)[None, None]
        return functional.interpolate(lines, size=(few, many), mode="bilinear", antialias=True)[0, 0].contiguous()


class StyledConv(nn.Module):
    """StyleGAN2's modulated 3x3 convolution with demodulation, bias and leaky ReLU.

    Inputs and outputs are scaled instead of the weights, which is equal. The scales are computed in float32 whatever
    the precision of the convolution: in bfloat16 a token has 8 bits, and small motions would vanish. The weights have
    no equalised rate: demodulation makes their size irrelevant, and small ones learn faster.
    """

    def __init__(self, inputs: int, outputs: int, token: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(token, inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) / math.sqrt(9 * inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.modulation.weight, std=0.5 / math.sqrt(token))
        nn.init.ones_(self.modulation.bias)

    def forward(self, x: Tensor, token: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and (B, token) to (B, outputs, H, W)."""
        with torch.autocast(x.device.type, enabled=False):
            scale = self.modulation(token)
            energy = self.weight.float().square().sum((2, 3))
            level = math.sqrt(2) * torch.rsqrt(functional.linear(scale.square(), energy) + EPSILON)
        x = functional.conv2d(x * scale.to(x.dtype)[:, :, None, None], self.weight, padding=1)
        x = x * level.to(x.dtype)[:, :, None, None] + self.bias.to(x.dtype)[:, None, None]
        return activated(x)


class Residual(nn.Module):
    """Two 3x3 convolutions whose result is added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (B, channels, H, W)."""
        y = x
        for conv in self.convs:
            y = conv(activated(y))
        return x + y


def waves(side: int, channels: int) -> Tensor:
    """Return (side * side, channels) sines and cosines of both coordinates.

    The product of two rows is highest where they are equal, and falls within one cell: with these tables alone,
    attention begins as the identity.
    """
    count = channels // 4
    turns = torch.arange(side)[:, None] * torch.linspace(math.pi / side, math.pi / 2, count)
    line = torch.cat([turns.sin(), turns.cos()], 1)
    across, down = line[None].expand(side, -1, -1), line[:, None].expand(-1, side, -1)
    return torch.cat([across, down], -1).reshape(side * side, channels)


def cells(side: int) -> Tensor:
    """Return (side * side, 2), x and y of the middles of cells; -1 and 1 are the picture's edges."""
    line = (torch.arange(side) * 2 + 1) / side - 1
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)


def sampled(maps: Tensor, position: Tensor) -> Tensor:
    """Sample (B, C, s, s) maps at (B, 2, H, W) positions; -1 and 1 are the picture's edges. Computed in float32."""
    grid = position.float().permute(0, 2, 3, 1)
    kept = functional.grid_sample(maps.float(), grid, padding_mode="border", align_corners=False)
    return kept.to(maps.dtype)


def enlarged(position: Tensor, side: int) -> Tensor:
    """Enlarge (B, 2, s, s) positions bilinearly, extrapolating at the picture's edges."""
    # Only the shifts are interpolated: interpolation repeats the outermost cells, and places are linear beyond them.
    few = position.shape[-1]
    own, wide = (cells(size).T.reshape(1, 2, size, size).to(position) for size in (few, side))
    shift = functional.interpolate(position - own, size=(side, side), mode="bilinear", align_corners=False)
    return wide + shift
