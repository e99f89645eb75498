"""The training of the compact renderer.

Its losses need no weights of others: L1 and edges at several sizes, what our own landmarker sees, in features and in
points, the energy of detail, and in the last phase a patch discriminator; mouth and eyes count extra. Of a source in
another person's motion the points and the discriminator tell how it should be, and in the large the prior: moved far,
it may leave holes and stretch, but no ghost of where it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from facepipe.face.model import FaceModel
from facepipe.models.landmarker import Landmarker
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet, Rendered
from facepipe.train.pirender.batch import Batch, by_flow, rendered, taken, to_batch
from facepipe.train.pirender.discriminator import (
    PatchDiscriminator,
    adversarial_losses,
    discriminator_loss,
    random_window,
)
from facepipe.train.pirender.heads import Heads
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.loop import Picture, Recipe, new_run, step
from facepipe.train.pirender.losses import attention, coarse, detail, edges, fine_boxes, mouth_box, pyramid
from facepipe.train.pirender.pairs import Pair, Pairs
from facepipe.train.pirender.samples import figures, sample_sheet

TARGETS_OF_UNSEEN = 4

# How much each loss counts. The adversarial ones join in the last phase.
WEIGHTS = {
    "l1": 4.0,
    "edges": 2.0,
    "features": 1.0,
    "points": 4.0,
    "warp": 1.0,
    "detail": 6.0,
    "crossed": 4.0,
    "coarse": 2.0,
    "matching": 2.0,
    "adversarial": 0.05,
}


def picture_losses(made: Rendered, batch: Batch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of every phase, unweighted."""
    crossed = batch.crossed
    losses = truth_losses(taken(made, ~crossed), taken(batch, ~crossed), landmarker)
    if crossed.any():
        losses |= crossed_losses(taken(made, crossed), taken(batch, crossed), landmarker)
    return losses


def truth_losses(made: Rendered, batch: Batch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of pictures of which the truth is known."""
    picture, side = made.picture, made.picture.shape[-1]
    weight, mouth, fine = (area(batch.points, side) for area in (attention, mouth_box, fine_boxes))
    return {
        "l1": pyramid(picture, batch.truth, weight),
        "edges": edges(picture, batch.truth, weight),
        "features": landmarker(by_flow(made, fine), batch.truth, batch.points),
        "points": landmarker.apart(by_flow(made, mouth), batch.truth, batch.points),
        "warp": pyramid(made.warped, batch.truth, weight),
        "detail": detail(picture, batch.truth),
    }


def crossed_losses(made: Rendered, batch: Batch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of pictures in another person's motion."""
    side = made.picture.shape[-1]
    return {
        "crossed": landmarker.misplaced(by_flow(made, mouth_box(batch.points, side)), batch.points),
        "coarse": coarse(made.picture, batch.prior),
    }


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Return their weighted sum."""
    return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()


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
            batches.append(default_collate(list(pairs.of_source(clip, rows[0], rows[1:], random))))
        return batches

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs."""
        seed = self.recipe.seed + images + 1000 * self.fabric.global_rank
        # A batch of one would now and then know no truth at all.
        pairs = Pairs(self.heads, self.model, seed, crossed=self.recipe.batch > 1)
        words = {"num_workers": self.recipe.workers, "prefetch_factor": 4 if self.recipe.workers else None}
        return self.fabric.setup_dataloaders(DataLoader(pairs, batch_size=self.recipe.batch, **words))  # type: ignore[arg-type]

    def advance(self, batch: Pair) -> dict[str, Tensor]:
        """Take a step of the network, and of the discriminator once it has joined."""
        seen, adversarial = to_batch(batch), self.recipe.adversarial(self.run.images)
        most = self.recipe.max_gradient_norm
        made = rendered(self.net, seen)
        losses = picture_losses(made, seen, self.landmarker)
        window = random_window(made.picture, seen)
        if adversarial:
            # Not by what `setup` made of it: nothing of the discriminator's own is to be learned or exchanged here.
            self.run.judge.requires_grad_(False)
            with self.fabric.autocast():
                losses |= adversarial_losses(window, self.run.judge)
        step(self.run.optimiser, weighted(losses), self.run.net, self.fabric, most)
        if adversarial:
            self.run.judge.requires_grad_(True)
            losses["discriminator"] = discriminator_loss(window, self.judge)
            step(self.run.judge_optimiser, losses["discriminator"], self.run.judge, self.fabric, most)
        return losses

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Judge the averaged network on the CPU, as it will be used."""
        net = CompactNet(CompactConfig()).eval()
        net.load_state_dict(mean.state_dict())
        return figures(net, self.held_out), sample_sheet(net, self.held_out)
