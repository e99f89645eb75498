"""Losses of the training of the compact network. All are means over the batch, unweighted."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from facepipe.renderers.imf.compact.layers import enlarged, sampled
from facepipe.renderers.imf.compact.net import Made, Placed
from facepipe.train.imf.couples import Couple
from facepipe.train.imf.heads import surface_loss
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.losses import attention, detail, edges, fine_boxes, pyramid

# Weight of each loss. `adversarial` and `matching` join late.
WEIGHTS = {
    "match": 0.2,
    "coarse": 4.0,
    "fine": 10.0,
    "carried": 4.0,
    "surface": 0.5,
    "l1": 10.0,
    "edges": 2.0,
    "generated": 5.0,
    "share": 5.0,
    "features": 1.0,
    "landmarks": 4.0,
    "detail": 2.0,
    "adversarial": 0.05,
    "matching": 1.0,
}
# Cells of the mouth and the eyes count more in the correspondence.
FINE_CELLS = 3.0


class Batch(NamedTuple):
    """Couples as 2 B frames; frame i of the first half belongs to frame i of the second."""

    frames: Tensor
    """(2 B, 3, S, S) in [-1, 1], channels last."""
    points: Tensor
    position: Tensor
    weight: Tensor
    """(2 B, 1, s, s)"""
    surface: Tensor


def to_batch(couples: Couple) -> Batch:
    """Convert a batch of couples."""

    def halves(part: Tensor) -> Tensor:
        return part.transpose(0, 1).flatten(0, 1)

    frames, points, position, weight, surface = (halves(part) for part in couples)
    pictures = (frames.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
    boxes = functional.avg_pool2d(fine_boxes(points, frames.shape[-1]), frames.shape[-1] // position.shape[-1])
    weight = weight[:, None] * (1 + (FINE_CELLS - 1) * boxes)
    return Batch(pictures, points, position, weight, surface)


def swapped(part: Tensor) -> Tensor:
    """Exchange the halves of a batch: each frame gets what belongs to its partner."""
    return torch.cat(part.chunk(2)[::-1])


def surface_losses(surfaces: tuple[Tensor, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Return the loss of the heads."""
    fine, coarse = surfaces
    return {"surface": surface_loss(fine, batch.surface) + surface_loss(coarse, batch.surface[..., ::2, ::2])}


def matching(shares: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return the negative log-likelihood of the wanted places under attention.

    Args:
        shares: (B, N, N)
        wanted: (B, 2, s, s) with s * s = N; -1 and 1 are the picture's edges.
        weight: (B, 1, s, s)
    """
    side = wanted.shape[-1]
    place = ((wanted + 1) * side / 2 - 0.5).clamp(0, side - 1)
    low = place.floor().clamp(max=side - 2)
    part, low = place - low, low.long()
    cells, amounts = [], []
    for across in (0, 1):
        for down in (0, 1):
            cells.append((low[:, 1] + down) * side + low[:, 0] + across)
            amounts.append((part[:, 0] if across else 1 - part[:, 0]) * (part[:, 1] if down else 1 - part[:, 1]))
    # Gathered at once: each backward of a gather fills a map of N * N.
    found = shares.gather(2, torch.stack(cells, -1).flatten(1, 2))
    likely = (found.view(*amounts[0].shape, 4) * torch.stack(amounts, -1)).sum(-1)
    return -((likely + 1e-4).log() * weight[:, 0]).sum() / weight.sum().clamp(min=1)


def distance(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean L1 distance of positions."""
    return ((found - wanted).abs().sum(1, keepdim=True) * weight).sum() / weight.sum().clamp(min=1)


def place_losses(placed: Placed, batch: Batch) -> dict[str, Tensor]:
    """Return the losses of the correspondence: against the mesh, and of the small picture carried along it."""
    thin = (batch.position[..., ::2, ::2] + batch.position[..., 1::2, 1::2]) / 2
    weight = batch.weight[..., ::2, ::2]
    small = functional.avg_pool2d(batch.frames, 2)
    carried = sampled(swapped(small), enlarged(placed.position, small.shape[-1]))
    worth = functional.avg_pool2d(attention(batch.points, batch.frames.shape[-1]), 2)
    return {
        "match": matching(placed.shares, thin, weight),
        "coarse": distance(placed.coarse, thin, weight),
        "fine": distance(placed.position, batch.position, batch.weight),
        "carried": pyramid(carried, small, worth, levels=3),
    }


def picture_losses(made: Made, batch: Batch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of the pictures. L1 is of pictures in [0, 1], as in the paper."""
    side = made.picture.shape[-1]
    worth = attention(batch.points, side)
    features, landmarks = landmarker.features_and_points(made.picture, batch.frames, batch.points)
    return {
        "l1": pyramid(made.picture, batch.frames, worth) / 2,
        "edges": edges(made.picture, batch.frames, worth),
        "generated": pyramid(made.generated.float(), batch.frames, worth),
        "share": expected(made, batch.frames, worth),
        "features": features,
        "landmarks": landmarks,
        "detail": detail(made.picture, batch.frames),
    }


def expected(made: Made, truth: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean error if each pixel were either carried or generated, with the share as probability.

    It trains the share alone: that of a mouth which opens goes to the generated picture, however poor that is.
    """
    carried, generated = ((part.detach().float() - truth).abs() for part in (made.carried, made.generated))
    share = made.share.float()
    return ((share * carried + (1 - share) * generated) * weight).sum() / (3 * weight.sum())


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum of losses."""
    return torch.stack([WEIGHTS[name] * value.float() for name, value in losses.items()]).sum()
