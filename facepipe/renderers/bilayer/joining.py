"""The end of a block of the fused generator in a single pass: sum with the skip connection, norm and activation.

Features are (B, H, W, C); `skipped` is of half the height and width. `scale` and `shift`, (C,), are the norm of the
next
block. `slope` is that of the leaky rectifier below zero: an argument, because numba's cache does not notice that a
constant of another module has changed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.models.bfloat16 import rounded, widened
from facepipe.models.compiled import compiled_fused
from facepipe.renderers.bilayer.config import SLOPE

Floats = NDArray[np.floating]
Halves = NDArray[np.uint16]


@compiled_fused
def join(slope: float, x: Floats, skipped: Floats, scale: Floats, shift: Floats, activated: Floats) -> None:
    """Add the doubled `skipped` to `x`, and write leaky(scale * x + shift) to `activated`."""
    leak = x.dtype.type(slope)
    for b in range(x.shape[0]):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                pixel, other, target = x[b, row, column], skipped[b, row // 2, column // 2], activated[b, row, column]
                for c in range(x.shape[3]):
                    value = pixel[c] + other[c]
                    pixel[c] = value
                    value = scale[c] * value + shift[c]
                    target[c] = max(value, leak * value)


@compiled_fused
def join_halves(slope: float, x: Halves, skipped: Halves, scale: Floats, shift: Floats, activated: Halves) -> None:
    """Do the same with bfloat16 features, computed in float32."""
    leak = np.float32(slope)
    for b in range(x.shape[0]):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                pixel, other, target = x[b, row, column], skipped[b, row // 2, column // 2], activated[b, row, column]
                for c in range(x.shape[3]):
                    value = widened(pixel[c]) + widened(other[c])
                    pixel[c] = rounded(value)
                    value = scale[c] * value + shift[c]
                    target[c] = rounded(max(value, leak * value))


def joined(x: Tensor, skipped: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of `x` and the doubled `skipped`, and the leaky ReLU of its norm.

    Args:
        x: (B, C, 2 H, 2 W) on the CPU; overwritten if it is channels last.
        skipped: (B, C, H, W) of the same dtype.
        scale, shift: (1, C, 1, 1); float32 for bfloat16 features.
    """
    x, skipped = (part.contiguous(memory_format=torch.channels_last) for part in (x, skipped))
    activated = torch.empty_like(x)
    kernel = join_halves if x.dtype == torch.bfloat16 else join
    kernel(SLOPE, _rows(x), _rows(skipped), _channels(scale), _channels(shift), _rows(activated))
    return x, activated


def _rows(features: Tensor) -> NDArray[Any]:
    """Return channels-last features as (B, H, W, C), bfloat16 by its bits."""
    rows = features.detach().permute(0, 2, 3, 1)
    return rows.view(torch.int16).numpy().view(np.uint16) if rows.dtype == torch.bfloat16 else rows.numpy()


def _channels(values: Tensor) -> Floats:
    return values.detach().flatten().numpy()
