"""The two stages of the published training: pictures and weighted losses of a batch.

The stage `base` trains all networks but the enhancer. The stage `enhancer` keeps them frozen in eval mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.discriminator import Discriminator
from facepipe.renderers.bilayer.embedder import masked
from facepipe.renderers.bilayer.inference import Layers, sampled
from facepipe.renderers.bilayer.published import Bilayer
from facepipe.train.bilayer.frames import Pair, Side
from facepipe.train.bilayer.losses import (
    ADVERSARIAL_WEIGHT,
    MATCHING_WEIGHT,
    PERCEPTUAL_WEIGHT,
    PIXEL_WEIGHT,
    SEGMENTATION_WEIGHT,
    discriminator_loss,
    generator_loss,
    matching_loss,
    pixel_loss,
    segmentation_loss,
    warp_loss,
)
from facepipe.train.bilayer.perceptual import PerceptualLoss

Stage = Literal["base", "enhancer"]
STAGES: tuple[Stage, ...] = ("base", "enhancer")
OWN = "discriminator"
"""Name of the discriminator's own loss; all others are those of the networks."""


class Made(NamedTuple):
    """What the networks make of a batch."""

    layers: Layers
    """Of the targets."""
    texture: Tensor
    """(B, 3, N, N), enhanced in the stage `enhancer`."""

    @property
    def mask(self) -> Tensor:
        """Return the (B, 1, N, N) masks without gradient: only the segmentation loss trains them."""
        return self.layers.logits.detach().sigmoid()


def embedded(net: Bilayer, source: Side) -> list[Tensor]:
    """Return the embeddings of a batch of sources, one picture each."""
    pictures, drawings = masked(source.picture, source.matte), source.drawing
    embeddings: list[Tensor] = net.identity_embedder(pictures[:, None], drawings[:, None])
    return embeddings


def base_made(net: Bilayer, batch: Pair) -> Made:
    """Return what the base networks make of a batch."""
    embeddings = embedded(net, batch.source)
    layers = net.inference_generator(net.keypoints_embedder(batch.target.keypoints), embeddings)
    return Made(Layers(*(part.float() for part in layers)), net.texture_generator(embeddings).float())


def enhanced_made(net: Bilayer, batch: Pair) -> Made:
    """Return what the networks make with the enhancer, through which alone gradients pass."""
    assert net.texture_enhancer is not None
    with torch.no_grad():
        embeddings = embedded(net, batch.source)
        groups = net.inference_generator.prj_inf(embeddings)
        own, target = (
            Layers(*(part.float() for part in net.inference_generator.generate(net.keypoints_embedder(points), groups)))
            for points in (batch.source.keypoints, batch.target.keypoints)
        )
        texture = net.texture_generator(embeddings).float()
    return Made(target, net.texture_enhancer(texture, batch.source.picture, own).float())


def made_of(net: Bilayer, batch: Pair) -> Made:
    """Return what the networks make, with the enhancer if they have one."""
    return base_made(net, batch) if net.texture_enhancer is None else enhanced_made(net, batch)


def losses_of(
    made: Made, target: Side, discriminator: Discriminator, perceptual: PerceptualLoss, *, stage: Stage, warp: float
) -> dict[str, Tensor]:
    """Return the weighted losses of a batch; `warp` is the weight of the warp regulariser.

    In the stage `enhancer` those of mask, warp and low frequencies are left out: what they measure is frozen.
    """
    layers, mask = made.layers, made.mask
    real, fake = masked(target.picture, mask), masked(layers.compose(made.texture), mask)
    # The perceptual loss trains texture and warp only: low frequencies have a loss of their own.
    high = masked(layers.low.detach() + sampled(made.texture, layers.places()), mask)
    losses = adversarial_losses(discriminator, real, fake, target.drawing)
    losses["perceptual"] = PERCEPTUAL_WEIGHT * perceptual(high, real)
    if stage == "base":
        losses["low"] = PIXEL_WEIGHT * pixel_loss(layers.low, target.picture, layers.logits)
        losses["mask"] = SEGMENTATION_WEIGHT * segmentation_loss(layers.logits, target.matte)
        if warp:
            losses["warp"] = warp * warp_loss(layers.delta)
    return losses


def adversarial_losses(discriminator: Discriminator, real: Tensor, fake: Tensor, drawings: Tensor) -> dict[str, Tensor]:
    """Return the discriminator's own loss, and those of the networks through it.

    The discriminator gets gradients from its own loss only. The released code switches its gradients off for the second
    pass and leaves them off for the backward, so that its discriminator gets none.
    """
    first = discriminator.compare(real, fake.detach(), drawings)
    with frozen(discriminator):
        second = discriminator.compare(real, fake, drawings)
    return {
        OWN: ADVERSARIAL_WEIGHT * discriminator_loss(first[0].scores, first[1].scores),
        "adversarial": ADVERSARIAL_WEIGHT * generator_loss(first[0].scores.detach(), second[1].scores),
        "matching": MATCHING_WEIGHT * matching_loss(second[0].features, second[1].features),
    }


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Make a network constant for what is computed inside the context; gradients pass through it to its input."""
    parameters = [one for one in net.parameters() if one.requires_grad]
    for one in parameters:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for one in parameters:
            one.requires_grad_(True)
