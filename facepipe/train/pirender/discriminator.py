"""A patch discriminator for the last phase: real texture, given what the prior made of it."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from facepipe.train.pirender.batch import Batch
from facepipe.train.pirender.losses import attention


class PatchDiscriminator(nn.Module):
    """Judge patches of a picture beside the same patches of the prior (pix2pix, section 3.2; hinge loss)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        sizes = ((2 * 3 * 4, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1))
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1)) for inputs, outputs, stride in sizes
        )
        self.judge = spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, picture: Tensor, prior: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Take two (B, 3, S, S), give (B, 1, S / 8, S / 8) scores and the features before them."""
        x = torch.cat([functional.pixel_unshuffle(picture, 2), functional.pixel_unshuffle(prior, 2)], 1)
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return cast("Tensor", self.judge(x)), features


def weighted_mean(scores: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of (B, 1, h, w) scores by the (B, 1, H, W) weight of the pixels that they are about."""
    height, width = scores.shape[-2:]
    share = functional.adaptive_avg_pool2d(weight, (height, width))
    return (scores * share).sum() / share.sum()


def matching(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Return the mean L1 distance of the features of both."""
    return torch.stack([(a - b.detach()).abs().mean() for a, b in zip(fake, real, strict=True)]).mean()


class Window(NamedTuple):
    """The part of a batch that the discriminator looks at: half of each side, about the face in the middle.

    Texture is judged by patches, so that a part is as good as the whole, for a quarter of the work.
    """

    made: Tensor
    truth: Tensor
    prior: Tensor
    weight: Tensor
    """(B, 1, S, S) how much each pixel counts: teeth and lids are small, and looked at most."""
    crossed: Tensor
    """(B,) bool: there the truth is none."""


class Judgement(NamedTuple):
    """What the discriminator says of a batch."""

    score: Tensor
    features: list[Tensor]
    """Of the pictures of which the truth is known."""


def random_window(made: Tensor, batch: Batch) -> Window:
    """Cut the same window, within the middle three quarters, out of all pictures."""
    side = made.shape[-1]
    top, left = (int(place) for place in torch.randint(side // 8, side * 3 // 8 + 1, (2,)))
    whole = (made, batch.truth, batch.prior, attention(batch.points, side))
    made, truth, prior, weight = (part[..., top : top + side // 2, left : left + side // 2] for part in whole)
    return Window(made, truth, prior, weight, batch.crossed)


def judged(seen: Window, judge: nn.Module) -> tuple[Judgement, Judgement]:
    """Return what the discriminator makes of all drawn and of the true pictures, in a single pass of it.

    One pass a step is what distributed training and spectral norms, which change with every pass, get on with.
    """
    known = ~seen.crossed
    score, features = judge(torch.cat([seen.made, seen.truth[known]]), torch.cat([seen.prior, seen.prior[known]]))
    fake, real = zip(*(part.float().tensor_split([len(known)]) for part in (score, *features)), strict=True)
    return Judgement(fake[0], [part[known] for part in fake[1:]]), Judgement(real[0], list(real[1:]))


def adversarial_losses(seen: Window, judge: nn.Module) -> dict[str, Tensor]:
    """Return what the discriminator adds for the renderer."""
    fake, real = judged(seen, judge)
    return {"adversarial": -weighted_mean(fake.score, seen.weight), "matching": matching(fake.features, real.features)}


def discriminator_loss(seen: Window, judge: nn.Module) -> Tensor:
    """Return the discriminator's own hinge loss."""
    fake, real = judged(seen._replace(made=seen.made.detach()), judge)
    doubted, believed = functional.relu(1 - real.score), functional.relu(1 + fake.score)
    return weighted_mean(doubted, seen.weight[~seen.crossed]) + weighted_mean(believed, seen.weight)
