"""The patch discriminator of the last phase, which compares rendered and real texture, conditioned on the prior."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from facepipe.train.pirender.batch import Batch
from facepipe.train.pirender.losses import attention


class PatchDiscriminator(nn.Module):
    """Score patches of a picture, given the same patches of the prior (pix2pix, section 3.2; hinge loss)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        sizes = ((2 * 3 * 4, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1))
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1)) for inputs, outputs, stride in sizes
        )
        # The attribute keeps its name because checkpoints contain it.
        self.judge = spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, picture: Tensor, prior: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return (B, 1, S / 8, S / 8) scores and the features of all layers for two (B, 3, S, S) pictures."""
        x = torch.cat([functional.pixel_unshuffle(picture, 2), functional.pixel_unshuffle(prior, 2)], 1)
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return cast("Tensor", self.judge(x)), features


def weighted_mean(scores: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of (B, 1, h, w) scores, weighted by the (B, 1, H, W) weights of the pixels that they cover."""
    height, width = scores.shape[-2:]
    share = functional.adaptive_avg_pool2d(weight, (height, width))
    return (scores * share).sum() / share.sum()


def matching(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Return the mean L1 distance of the features of both."""
    return torch.stack([(a - b.detach()).abs().mean() for a, b in zip(fake, real, strict=True)]).mean()


class Window(NamedTuple):
    """The part of a batch that the discriminator receives: half of each side, around the middle.

    Texture is scored by patches, so that a part serves as well as the whole, at a quarter of the work.
    """

    made: Tensor
    truth: Tensor
    prior: Tensor
    weight: Tensor
    """(B, 1, S, S) weight of each pixel: more on teeth and lids, which are small."""
    crossed: Tensor
    """(B,) bool; if true, `truth` is meaningless."""


class Output(NamedTuple):
    """Output of the discriminator for a batch."""

    score: Tensor
    features: list[Tensor]
    """Features of the pictures whose truth is known."""


def random_window(made: Tensor, batch: Batch) -> Window:
    """Cut the same random window, within the middle three quarters, out of all pictures."""
    side = made.shape[-1]
    top, left = (int(place) for place in torch.randint(side // 8, side * 3 // 8 + 1, (2,)))
    whole = (made, batch.truth, batch.prior, attention(batch.points, side))
    made, truth, prior, weight = (part[..., top : top + side // 2, left : left + side // 2] for part in whole)
    return Window(made, truth, prior, weight, batch.crossed)


def outputs_of(window: Window, discriminator: nn.Module) -> tuple[Output, Output]:
    """Return the discriminator's output for all rendered and for the true pictures, in a single forward pass.

    Distributed training and spectral norms, which change with every pass, require one pass per step.
    """
    known = ~window.crossed
    score, features = discriminator(
        torch.cat([window.made, window.truth[known]]), torch.cat([window.prior, window.prior[known]])
    )
    fake, real = zip(*(part.float().tensor_split([len(known)]) for part in (score, *features)), strict=True)
    return Output(fake[0], [part[known] for part in fake[1:]]), Output(real[0], list(real[1:]))


def adversarial_losses(window: Window, discriminator: nn.Module) -> dict[str, Tensor]:
    """Return the losses of the renderer that come from the discriminator."""
    fake, real = outputs_of(window, discriminator)
    return {
        "adversarial": -weighted_mean(fake.score, window.weight),
        "matching": matching(fake.features, real.features),
    }


def discriminator_loss(window: Window, discriminator: nn.Module) -> Tensor:
    """Return the discriminator's own hinge loss."""
    fake, real = outputs_of(window._replace(made=window.made.detach()), discriminator)
    real_loss, fake_loss = functional.relu(1 - real.score), functional.relu(1 + fake.score)
    return weighted_mean(real_loss, window.weight[~window.crossed]) + weighted_mean(fake_loss, window.weight)
