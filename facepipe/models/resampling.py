"""Resizing, warping and shuffling of picture tensors, in the forms that are fast on a CPU."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional


def warp(source: Tensor, position: Tensor, shift: Tensor) -> Tensor:
    """Sample the (B or 1, 3, S, S) source at (B, 2, S, S) positions plus a coarser (B, 2, s, s) shift."""
    # bfloat16 is too coarse for positions.
    grid = (position + upsampled(shift.float(), source.shape[-1])).permute(0, 2, 3, 1)
    pictures = source.float().expand(len(grid), -1, -1, -1)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=True).to(source.dtype)


def shuffled(x: Tensor) -> Tensor:
    """Pixel-shuffle (B, 4 C, H, W) to contiguous (B, C, 2 H, 2 W), the fastest layout on a CPU for what follows."""
    count, _, height, width = x.shape
    cells = x.view(count, -1, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return cells.reshape(count, -1, 2 * height, 2 * width)


def upsampled(maps: Tensor, side: int) -> Tensor:
    """Enlarge (B, C, s, s) to (B, C, side, side) bilinearly, by matrix products: several times faster than torch's."""
    rows = bilinear(maps.shape[-1], side).to(maps)
    return rows @ (maps @ rows.T)


@lru_cache
def bilinear(few: int, many: int) -> Tensor:
    """Return the (many, few) matrix of bilinear interpolation along a line, with align_corners=False."""
    # The matrix is cached; one made in inference mode could not be used in training.
    with torch.inference_mode(False):
        lines = functional.interpolate(torch.eye(few)[None], size=many, mode="linear", align_corners=False)
        return lines[0].T.contiguous()


def resized(maps: Tensor, side: int) -> Tensor:
    """Resize (B, C, S, S) to (B, C, side, side): bilinear when enlarging, area average when reducing."""
    if side == maps.shape[-1]:
        return maps
    if side >= maps.shape[-1]:
        return upsampled(maps, side)
    if maps.shape[-1] % side == 0:  # The same averages, in fewer steps.
        return functional.avg_pool2d(maps, maps.shape[-1] // side)
    return functional.interpolate(maps, size=(side, side), mode="area")


def rescaled_positions(position: Tensor, side: int) -> Tensor:
    """Resize (B, 2, S, S) positions to another side, with values for pictures of that side.

    The edges of both pictures coincide, not the centres of their outermost pixels.
    """
    size = position.shape[-1]
    if size == side:
        return position
    share = ((resized(position, side) + 1) * (size - 1) + 1) / (2 * size)
    return (2 * side * share - 1) / (side - 1) - 1
