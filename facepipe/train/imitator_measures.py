"""What a trained imitator is measured by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from facepipe.train.imitator_pictures import AvatarShards, Floats
from facepipe.train.loop import to_network

BATCH = 50
"""Number of avatars that are drawn at once."""
PLACES = 9
"""Number of vectors on a segment, its ends included."""
PAIRS = 50
TOLERANCE = 1e-4
"""How far the distance of pictures in [0, 1] may go the wrong way."""


@dataclass(frozen=True)
class Measures:
    """Means over unseen avatars."""

    l1: float
    """Of pixels in [0, 1]."""
    psnr: float
    """In dB, of each picture."""
    monotone: float
    """Share of pairs between which the picture changes monotonically; NaN if there is no pair."""

    def __str__(self) -> str:
        return f"L1 {self.l1:.4f} PSNR {self.psnr:.2f} monotone {self.monotone:.2f}"


def measured(net: nn.Module, unseen: AvatarShards) -> Measures:
    """Measure a network on avatars that it has not seen: consecutive ones make the pairs."""
    errors, ratios = [], []
    for start in range(0, len(unseen.rows), BATCH):
        chosen = np.arange(start, min(start + BATCH, len(unseen.rows)))
        error = (drawn(net, unseen.rows[chosen]) - to_network(unseen.pictures(chosen))) / 2
        errors.append(error.abs().mean((1, 2, 3)))
        ratios.append(-10 * torch.log10(error.square().mean((1, 2, 3))))
    pairs = [unseen.rows[2 * pair : 2 * pair + 2] for pair in range(min(PAIRS, len(unseen.rows) // 2))]
    monotone = [is_monotone(drawn(net, segment(first, last))) for first, last in pairs]
    share = float(np.mean(monotone)) if monotone else float("nan")
    return Measures(float(torch.cat(errors).mean()), float(torch.cat(ratios).mean()), share)


def drawn(net: nn.Module, rows: Floats) -> Tensor:
    """Return the pictures (B, 3, S, S) of rows in [-1, 1], on the CPU."""
    device = next(net.parameters()).device
    with torch.no_grad():
        pictures: Tensor = net(torch.from_numpy(rows).to(device)).clamp(-1, 1).cpu()
    return pictures


def segment(first: Floats, last: Floats) -> Floats:
    """Return PLACES vectors from `first` to `last`, evenly spaced."""
    shares = np.linspace(0, 1, PLACES, dtype=np.float32)[:, None]
    return np.asarray((1 - shares) * first + shares * last, np.float32)


def is_monotone(pictures: Tensor) -> bool:
    """Return True if pictures (N, 3, S, S) go from the first, and approach the last, at every step, in L1."""
    away, left = ((pictures - end).abs().mean((1, 2, 3)) / 2 for end in (pictures[0], pictures[-1]))
    return bool((away.diff() >= -TOLERANCE).all() and (left.diff() <= TOLERANCE).all())
