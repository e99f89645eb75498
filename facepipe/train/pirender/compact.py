"""What the training of the compact renderer optimises."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from facepipe.renderers.compact.net import CompactNet, Rendered
from facepipe.train.pirender.discriminator import PatchDiscriminator, hinge, matching
from facepipe.train.pirender.losses import LandmarkerFeatures, attention, detail, edges, pyramid
from facepipe.train.pirender.pairs import Pair

# How much each loss counts. The adversarial ones join in the last phase.
WEIGHTS = {"l1": 4.0, "edges": 2.0, "features": 1.0, "warp": 1.0, "detail": 1.0, "matching": 2.0, "adversarial": 0.05}


class Batch(NamedTuple):
    """A batch of pairs as the network takes it; see `Pair`."""

    source: Tensor
    truth: Tensor
    prior: Tensor
    position: Tensor
    maps: Tensor
    motion: Tensor
    points: Tensor


def to_batch(pair: Pair) -> Batch:
    """Turn uint8 pictures into [-1, 1], channels last."""

    def signed(part: Tensor) -> Tensor:
        return (part.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)

    pictures = signed(pair.source), signed(pair.truth), signed(pair.prior)
    return Batch(*pictures, pair.position, pair.maps, pair.motion, pair.points)


def rendered(net: nn.Module, batch: Batch) -> Rendered:
    """Draw a batch."""
    drawn = net(batch.source, batch.prior, batch.position, batch.maps, batch.motion)
    return Rendered(*(part.float() for part in drawn))


def picture_losses(made: Rendered, batch: Batch, features: LandmarkerFeatures) -> dict[str, Tensor]:
    """Return the losses of every phase, unweighted."""
    weight = attention(batch.points, batch.truth.shape[-1])
    return {
        "l1": pyramid(made.picture, batch.truth, weight),
        "edges": edges(made.picture, batch.truth, weight),
        "features": features(made.picture, batch.truth, batch.points),
        "warp": pyramid(made.warped, batch.truth, weight),
        "detail": detail(made.picture, batch.truth),
    }


def adversarial_losses(made: Rendered, batch: Batch, judge: PatchDiscriminator) -> dict[str, Tensor]:
    """Return what the discriminator adds for the renderer."""
    score, fake = judge(made.picture, batch.prior)
    with torch.no_grad():
        _, real = judge(batch.truth, batch.prior)
    return {"adversarial": -score.mean(), "matching": matching(fake, real)}


def discriminator_loss(made: Rendered, batch: Batch, judge: nn.Module) -> Tensor:
    """Return the discriminator's own loss."""
    real, _ = judge(batch.truth, batch.prior)
    fake, _ = judge(made.picture.detach(), batch.prior)
    return hinge(real, fake)


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Return their weighted sum."""
    return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()


@torch.no_grad()
def figures(net: CompactNet, batches: list[Pair]) -> dict[str, float]:
    """Return PSNR in dB of result and prior over batches of unseen people, and the L1 of their mouths."""
    sums: dict[str, list[float]] = {}
    for pair in batches:
        batch = to_batch(pair)
        made = rendered(net, batch).picture
        mouth = attention(batch.points, made.shape[-1]) > 3
        for name, picture in (("result", made), ("prior", batch.prior)):
            gap = (picture - batch.truth) * 127.5
            psnr = 10 * torch.log10(255**2 / gap.square().mean((1, 2, 3)).clamp_min(1e-6))
            sums.setdefault(f"psnr {name}", []).append(float(psnr.mean()))
            inside = (gap.abs() * mouth).sum() / (3 * mouth.sum())
            sums.setdefault(f"fine l1 {name}", []).append(float(inside))
            sums.setdefault(f"detail {name}", []).append(float(detail(picture, batch.truth)))
    return {name: sum(values) / len(values) for name, values in sums.items()}
