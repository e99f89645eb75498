"""Losses of rendered pictures that need no VGG weights.

All losses take (B, 3, S, S) pictures in [-1, 1] and return a mean over the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from facepipe.face import topology

EYES = [*topology.RIGHT_LID_UPPER, *topology.RIGHT_LID_LOWER, *topology.LEFT_LID_UPPER, *topology.LEFT_LID_LOWER]
MOUTH = [*topology.LIP_OUTER]
FACE_ATTENTION, FINE_ATTENTION = 2.0, 8.0


def box_weight(points: Tensor, side: int, parts: list[int], margin_ratio: float) -> Tensor:
    """Return (B, 1, S, S), 1 inside the box of `parts` of the (B, 478, 2 or 3) points with a margin, 0 outside."""
    within = points[:, parts, :2]
    low, high = within.amin(1), within.amax(1)
    margin = (high - low).amax(1, keepdim=True) * margin_ratio
    low, high = low - margin, high + margin
    line = torch.arange(side, device=points.device)
    across = (line >= low[:, :1]) & (line <= high[:, :1])
    down = (line >= low[:, 1:]) & (line <= high[:, 1:])
    return (down[:, None, :, None] & across[:, None, None, :]).float()


def mouth_box(points: Tensor, side: int) -> Tensor:
    """Return (B, 1, S, S), 1 inside the box of the lips with a margin, 0 outside."""
    return box_weight(points, side, MOUTH, 0.2)


def fine_boxes(points: Tensor, side: int) -> Tensor:
    """Return (B, 1, S, S), 1 inside the boxes of the lips and of each eye with margins, 0 outside."""
    eyes = [box_weight(points, side, lids, 0.25) for lids in (EYES[: len(EYES) // 2], EYES[len(EYES) // 2 :])]
    return (mouth_box(points, side) + eyes[0] + eyes[1]).clamp(max=1)


def attention(points: Tensor, side: int) -> Tensor:
    """Return (B, 1, S, S) pixel weights: 1, FACE_ATTENTION in the face, FINE_ATTENTION on mouth and eyes."""
    face = box_weight(points, side, list(range(topology.SKIN_COUNT)), 0.0)
    return 1 + (FACE_ATTENTION - 1) * face + (FINE_ATTENTION - FACE_ATTENTION) * fine_boxes(points, side)


def pyramid(first: Tensor, second: Tensor, weight: Tensor, levels: int = 4) -> Tensor:
    """Return the weighted L1 distance, averaged over `levels` resolutions, each half of the one before."""
    total = torch.zeros((), device=first.device)
    for level in range(levels):
        if level:
            first, second, weight = (functional.avg_pool2d(part, 2) for part in (first, second, weight))
        total = total + ((first - second).abs() * weight).sum() / (3 * weight.sum())
    return total / levels


def edges(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted L1 distance of the differences between neighbouring pixels."""
    total = torch.zeros((), device=first.device)
    for dim in (2, 3):
        wanted = weight.narrow(dim, 1, weight.shape[dim] - 1)
        gap = (first.diff(dim=dim) - second.diff(dim=dim)).abs() * wanted
        total = total + gap.sum() / (3 * wanted.sum())
    return total


def sharpness(pictures: Tensor) -> Tensor:
    """Return (B, 1, S - 2, S - 2), the Laplacian of the grey pictures."""
    grey = pictures.mean(1, keepdim=True)
    kernel = torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]], device=pictures.device)
    return functional.conv2d(grey, kernel)


def detail(first: Tensor, second: Tensor, cells: int = 8) -> Tensor:
    """Return the difference in local energy of detail: it penalises blur, which L1 favours, and noise."""
    energies = [functional.avg_pool2d(sharpness(part).square(), cells).add(1e-4).sqrt() for part in (first, second)]
    return (energies[0] - energies[1]).abs().mean()


def coarse(first: Tensor, second: Tensor, cells: int = 8) -> Tensor:
    """Return the L1 distance of downscaled pictures: it compares the layout and ignores detail."""
    return (functional.avg_pool2d(first, cells) - functional.avg_pool2d(second, cells)).abs().mean()
