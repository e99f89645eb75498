"""The training of the compact renderer.

Its losses need no weights of others: L1 and edges at several sizes, what our own landmarker sees, in features and in
points, the energy of detail, and in the last phase a patch discriminator; mouth and eyes count extra.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from facepipe.face.model import FaceModel
from facepipe.models.landmarker import Landmarker
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet, Rendered
from facepipe.train.pirender.discriminator import PatchDiscriminator, hinge, matching
from facepipe.train.pirender.heads import Heads
from facepipe.train.pirender.loop import Picture, Recipe, new_run, step
from facepipe.train.pirender.losses import LandmarkerLosses, attention, detail, edges, pyramid
from facepipe.train.pirender.pairs import Pair, Pairs

TARGETS_OF_UNSEEN, SAMPLE_ROWS = 4, 8

# How much each loss counts. The adversarial ones join in the last phase.
WEIGHTS = {
    "l1": 4.0,
    "edges": 2.0,
    "features": 1.0,
    "points": 4.0,
    "warp": 1.0,
    "detail": 6.0,
    "matching": 2.0,
    "adversarial": 0.2,
}


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

    def last(part: Tensor) -> Tensor:
        return part.contiguous(memory_format=torch.channels_last)

    source, truth, prior = (last(part.float() / 127.5 - 1) for part in (pair.source, pair.truth, pair.prior))
    return Batch(source, truth, prior, last(pair.position), last(pair.maps), pair.motion, pair.points)


def rendered(net: nn.Module, batch: Batch) -> Rendered:
    """Draw a batch."""
    drawn = net(batch.source, batch.prior, batch.position, batch.maps, batch.motion)
    return Rendered(*(part.float() for part in drawn))


def picture_losses(made: Rendered, batch: Batch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of every phase, unweighted."""
    weight = attention(batch.points, batch.truth.shape[-1])
    features, points = landmarker(made.picture, batch.truth, batch.points)
    return {
        "l1": pyramid(made.picture, batch.truth, weight),
        "edges": edges(made.picture, batch.truth, weight),
        "features": features,
        "points": points,
        "warp": pyramid(made.warped, batch.truth, weight),
        "detail": detail(made.picture, batch.truth),
    }


class Window(NamedTuple):
    """The part of a batch that the discriminator looks at: half of each side, about the face in the middle.

    Texture is judged by patches, so that a part is as good as the whole, for a quarter of the work.
    """

    made: Tensor
    truth: Tensor
    prior: Tensor


class Judgement(NamedTuple):
    """What the discriminator says of a batch: its scores, and its features."""

    score: Tensor
    features: list[Tensor]


def random_window(made: Tensor, batch: Batch) -> Window:
    """Cut the same window, within the middle three quarters, out of all pictures."""
    side = made.shape[-1]
    top, left = (int(place) for place in torch.randint(side // 8, side * 3 // 8 + 1, (2,)))
    return Window(
        *(part[..., top : top + side // 2, left : left + side // 2] for part in (made, batch.truth, batch.prior))
    )


def judged(seen: Window, judge: nn.Module) -> tuple[Judgement, Judgement]:
    """Return what the discriminator makes of the drawn and of the true picture, in a single pass of it.

    One pass a step is what distributed training and spectral norms, which change with every pass, get on with.
    """
    score, features = judge(torch.cat([seen.made, seen.truth]), torch.cat([seen.prior, seen.prior]))
    fake, real = zip(*(part.float().chunk(2) for part in (score, *features)), strict=True)
    return Judgement(fake[0], list(fake[1:])), Judgement(real[0], list(real[1:]))


def adversarial_losses(seen: Window, judge: nn.Module) -> dict[str, Tensor]:
    """Return what the discriminator adds for the renderer."""
    fake, real = judged(seen, judge)
    return {"adversarial": -fake.score.mean(), "matching": matching(fake.features, real.features)}


def discriminator_loss(seen: Window, judge: nn.Module) -> Tensor:
    """Return the discriminator's own loss."""
    fake, real = judged(Window(seen.made.detach(), seen.truth, seen.prior), judge)
    return hinge(real.score, fake.score)


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Return their weighted sum."""
    return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()


@torch.no_grad()
def figures(net: CompactNet, batches: list[Pair]) -> dict[str, float]:
    """Return PSNR in dB of result and prior over batches, the L1 of mouth and eyes, and what their detail lacks."""
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


def sample_sheet(net: CompactNet, batches: list[Pair]) -> Picture:
    """Return rows of source, truth, prior, warp, result and blend (prior red, warp green, drawing blue)."""
    rows = []
    for pair in batches[:: max(1, len(batches) // SAMPLE_ROWS)]:
        batch = to_batch(Pair(*(part[-1:] for part in pair)))
        with torch.no_grad():
            made = rendered(net, batch)
        parts = (batch.source, batch.truth, batch.prior, made.warped, made.picture, made.blend * 2 - 1)
        rows.append(torch.cat([part[0] for part in parts], dim=2))
    sheet = (torch.cat(rows, dim=1) + 1) * 127.5
    return np.asarray(sheet.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy())


class CompactTraining:
    """The compact network with its discriminator."""

    def __init__(
        self, recipe: Recipe, fabric: Fabric, heads: Heads, unseen: Heads, model: FaceModel, landmarker: Landmarker
    ) -> None:
        """Set up a run; `fabric` has been launched."""
        self.recipe, self.fabric, self.heads, self.model = recipe, fabric, heads, model
        self.held_out = self._held_out(unseen) if fabric.is_global_zero else []
        self.landmarker = LandmarkerLosses(landmarker).to(fabric.device)
        torch.manual_seed(recipe.seed)
        # Channels side by side, in weights as in pictures: without that a CPU is a third slower.
        net, judge = (
            part.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for part in (CompactNet(CompactConfig()), PatchDiscriminator())
        )
        self.run = new_run(net, judge, recipe)
        self.net, self.run.optimiser = fabric.setup(self.run.net, self.run.optimiser)
        self.judge, self.run.judge_optimiser = fabric.setup(self.run.judge, self.run.judge_optimiser)

    def _held_out(self, unseen: Heads) -> list[Pair]:
        """Return every unseen clip's first frame with a few of its others, one batch a clip."""
        pairs, random, batches = Pairs(unseen, self.model, 0, augment=False), np.random.default_rng(0), []
        for clip in range(len(unseen.names)):
            there = np.flatnonzero(unseen.valid[unseen.clip(clip)])
            rows = there[np.linspace(0, len(there) - 1, TARGETS_OF_UNSEEN + 1).astype(int)].tolist()
            batches.append(default_collate(list(pairs.drawn(clip, rows[0], rows[1:], random))))
        return batches

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs."""
        pairs = Pairs(self.heads, self.model, self.recipe.seed + images + 1000 * self.fabric.global_rank)
        words = {"num_workers": self.recipe.workers, "prefetch_factor": 4 if self.recipe.workers else None}
        return self.fabric.setup_dataloaders(DataLoader(pairs, batch_size=self.recipe.batch, **words))  # type: ignore[arg-type]

    def advance(self, batch: Pair) -> dict[str, Tensor]:
        """Take a step of the network, and of the discriminator once it has joined."""
        seen, adversarial = to_batch(batch), self.recipe.adversarial(self.run.images)
        made = rendered(self.net, seen)
        losses = picture_losses(made, seen, self.landmarker)
        window = random_window(made.picture, seen)
        if adversarial:
            # Not by what `setup` made of it: nothing of the discriminator's own is to be learned or exchanged here.
            self.run.judge.requires_grad_(False)
            with self.fabric.autocast():
                losses |= adversarial_losses(window, self.run.judge)
        step(self.run.optimiser, weighted(losses), self.run.net, self.fabric)
        if adversarial:
            self.run.judge.requires_grad_(True)
            losses["discriminator"] = discriminator_loss(window, self.judge)
            step(self.run.judge_optimiser, losses["discriminator"], self.run.judge, self.fabric)
        return losses

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Judge the averaged network on the CPU, as it will be used."""
        net = CompactNet(CompactConfig()).eval()
        net.load_state_dict(mean.state_dict())
        return figures(net, self.held_out), sample_sheet(net, self.held_out)
