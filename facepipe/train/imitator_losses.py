"""Losses and metrics of the imitator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from facepipe.models.imitator import Imitator
from facepipe.train.imitator_pictures import Batch
from facepipe.train.loop import to_network

SCALES = (1, 2, 4)
FACE_CENTRE, FACE_RADII = (0.5, 0.54), (0.23, 0.28)
"""Ellipse of the face as fractions of the side: x, y."""
SURROUNDINGS, FACE = 0.6, 2.0
"""Weights of the pixels outside and in the middle of the face."""


def region_weights(side: int) -> Tensor:
    """Return weights (1, 1, side, side) of the pixels, with a mean of 1; the face counts most."""
    steps = (torch.arange(side) + 0.5) / side
    x = (steps - FACE_CENTRE[0]) / FACE_RADII[0]
    y = (steps - FACE_CENTRE[1]) / FACE_RADII[1]
    distance = x[None, :].square() + y[:, None].square()
    weights = SURROUNDINGS + (FACE - SURROUNDINGS) * torch.exp(-distance.square())
    return (weights / weights.mean())[None, None]


def picture_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Return the L1 of pictures (B, 3, S, S) and of their gradients at three scales, the face weighted."""
    error = (drawn - wanted) * region_weights(drawn.shape[-1]).to(drawn.device)
    total = error.new_zeros(())
    for scale in SCALES:
        coarse = functional.avg_pool2d(error, scale) if scale > 1 else error
        total = total + coarse.abs().mean() + coarse.diff(dim=-1).abs().mean() + coarse.diff(dim=-2).abs().mean()
    return total


def mixed_targets(net: Imitator, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return vectors (B, LENGTH) and the pictures (B, 3, S, S) that the network shall draw for them.

    The engine draws strict vectors only. A vector between a strict one and one with other choices shall give the
    mixture of their pictures: the engine's, and what the network itself draws. Sliders and colours are not mixed,
    because the engine draws every value of them.
    """
    rows, pictures, count = batch.rows.clone(), to_network(batch.pictures), len(batch.shares)
    if count:
        with torch.no_grad():
            drawn = net(batch.others)
        rows[:count] = torch.lerp(rows[:count], batch.others, batch.shares[:, None])
        pictures[:count] = torch.lerp(pictures[:count], drawn, batch.shares[:, None, None, None])
    return rows, pictures
