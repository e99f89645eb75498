"""Losses of the published training (supplementary; weights of the released scripts), and the published masks.

Adversarial losses compare real and generated scores of one batch, which `Discriminator.compare` makes together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facepipe.renderers.bilayer.embedder import masked

ADVERSARIAL_WEIGHT = 0.5
MATCHING_WEIGHT = 10.0
PERCEPTUAL_WEIGHT = 10.0
PIXEL_WEIGHT = 10.0
SEGMENTATION_WEIGHT = 10.0
WARP_WEIGHT = 10.0
"""Of the paper's training from scratch. The released script sets 0, but the supplementary needs the term at first."""


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the relativistic average hinge loss of scores (B, 1, H, W). Averages are over batch and patches."""
    real_margin, fake_margin = real - fake.mean(), fake - real.mean()
    return F.relu(1 - real_margin).mean() + F.relu(1 + fake_margin).mean()


def generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's part, with the signs swapped. Give detached real scores."""
    return discriminator_loss(fake, real)


def matching_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Return the L1 distance of features, averaged over the blocks. Real features get no gradient."""
    return torch.stack([F.l1_loss(ours, theirs.detach()) for theirs, ours in zip(real, fake, strict=True)]).mean()


def pixel_loss(low: Tensor, pictures: Tensor, logits: Tensor) -> Tensor:
    """Return the L1 distance of the low-frequency layer and the pictures, both without background.

    The mask is the predicted one and gets no gradient: only `segmentation_loss` trains it.
    """
    mask = logits.detach().sigmoid()
    return F.l1_loss(masked(low, mask), masked(pictures, mask))


def segmentation_loss(logits: Tensor, mattes: Tensor) -> Tensor:
    """Return the binary cross entropy of mask logits and mattes in [0, 1]."""
    return F.binary_cross_entropy_with_logits(logits, mattes)


def dice_loss(logits: Tensor, mattes: Tensor) -> Tensor:
    """Return the alternative to `segmentation_loss`: the log of the inverse Dice coefficient of mask and matte.

    The released code gives it logits by default; here the mask is their sigmoid.
    """
    mask = logits.sigmoid()
    return (mask.square().sum() + mattes.square().sum()).log() - (2 * (mask * mattes).sum()).log()


def warp_loss(delta: Tensor) -> Tensor:
    """Return the mean length of shifts (B, 2, S, S) per coordinate; half the supplementary's value."""
    return delta.abs().mean()


@dataclass
class WarpDecay:
    """The weight of `warp_loss`, which becomes smaller during training until the term ends."""

    weight: float = WARP_WEIGHT
    factor: float = 0.9
    every: int = 50
    """Iterations between two reductions."""
    floor: float = 1e-7
    """At this weight the term ends."""

    def at(self, iteration: int) -> float:
        """Return the weight at an iteration, counted from 0; exactly 0 once the term has ended."""
        weight = self.weight * self.factor ** (iteration // self.every)
        return weight if weight > self.floor else 0.0
