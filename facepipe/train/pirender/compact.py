"""The training of the compact renderer.

The losses need no third-party weights: L1 and edges at several sizes, features and points of our own landmarker, the
energy of detail, and a patch discriminator in the last phase; mouth and eyes have more weight. A source in another
person's motion has no true picture. Its target points, the discriminator and, at low resolution, the prior take its
place: the prior may have holes and stretched texture, but shows no ghost of the head at its old position.
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
from facepipe.train.pirender.batch import Batch, by_flow, rendered, selected, to_batch
from facepipe.train.pirender.discriminator import (
    PatchDiscriminator,
    adversarial_losses,
    discriminator_loss,
    random_window,
)
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.loop import Picture, Recipe, new_run, step
from facepipe.train.pirender.losses import attention, coarse, detail, edges, fine_boxes, mouth_box, pyramid
from facepipe.train.pirender.pairs import Pair, Pairs
from facepipe.train.pirender.samples import metrics, sample_sheet

TARGETS_OF_UNSEEN = 4

# Weight of each loss. The adversarial ones join in the last phase.
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
    """Return the losses that apply in all phases, unweighted."""
    crossed = batch.crossed
    losses = truth_losses(selected(made, ~crossed), selected(batch, ~crossed), landmarker)
    if crossed.any():
        losses |= crossed_losses(selected(made, crossed), selected(batch, crossed), landmarker)
    return losses


def truth_losses(made: Rendered, batch: Batch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of pictures whose truth is known."""
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
    """Return the losses of pictures in another person's motion, whose truth is unknown."""
    side = made.picture.shape[-1]
    return {
        "crossed": landmarker.misplaced(by_flow(made, mouth_box(batch.points, side)), batch.points),
        "coarse": coarse(made.picture, batch.prior),
    }


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum of losses."""
    return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()


class CompactTraining:
    """The compact network with its discriminator."""

    def __init__(
        self,
        recipe: Recipe,
        fabric: Fabric,
        cache: FrameCache,
        unseen: FrameCache,
        model: FaceModel,
        landmarker: Landmarker,
    ) -> None:
        """Set up a run. `fabric` must have been launched."""
        self.recipe, self.fabric, self.cache, self.model = recipe, fabric, cache, model
        self.held_out = self._held_out(unseen) if fabric.is_global_zero else []
        self.landmarker = LandmarkerLosses(landmarker).to(fabric.device)
        torch.manual_seed(recipe.seed)
        # Channels last in weights as in pictures: otherwise a CPU is a third slower.
        net, discriminator = (
            part.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for part in (CompactNet(CompactConfig()), PatchDiscriminator())
        )
        self.run = new_run(net, discriminator, recipe)
        self.net, self.run.optimiser = fabric.setup(self.run.net, self.run.optimiser)
        self.discriminator, self.run.discriminator_optimiser = fabric.setup(
            self.run.discriminator, self.run.discriminator_optimiser
        )

    def _held_out(self, unseen: FrameCache) -> list[Pair]:
        """Return the first frame of every unseen clip with some of its other frames, one batch per clip."""
        pairs, random, batches = Pairs(unseen, self.model, 0, augment=False), np.random.default_rng(0), []
        for clip in range(len(unseen.names)):
            there = np.flatnonzero(unseen.valid[unseen.clip(clip)])
            rows = there[np.linspace(0, len(there) - 1, TARGETS_OF_UNSEEN + 1).astype(int)].tolist()
            batches.append(default_collate(list(pairs.of_source(clip, rows[0], rows[1:], random))))
        return batches

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs."""
        seed = self.recipe.seed + images + 1000 * self.fabric.global_rank
        # A batch of one would sometimes contain no pair with a known truth.
        pairs = Pairs(self.cache, self.model, seed, crossed=self.recipe.batch > 1)
        options = {"num_workers": self.recipe.workers, "prefetch_factor": 4 if self.recipe.workers else None}
        return self.fabric.setup_dataloaders(DataLoader(pairs, batch_size=self.recipe.batch, **options))  # type: ignore[arg-type]

    def advance(self, batch: Pair) -> dict[str, Tensor]:
        """Take a step of the network, and of the discriminator once it has joined."""
        tensors, adversarial = to_batch(batch), self.recipe.adversarial(self.run.images)
        max_norm = self.recipe.max_gradient_norm
        made = rendered(self.net, tensors)
        losses = picture_losses(made, tensors, self.landmarker)
        window = random_window(made.picture, tensors)
        if adversarial:
            # The module, not its wrapper from `setup`: its gradients must be neither computed nor exchanged here.
            self.run.discriminator.requires_grad_(False)
            with self.fabric.autocast():
                losses |= adversarial_losses(window, self.run.discriminator)
        step(self.run.optimiser, weighted(losses), self.run.net, self.fabric, max_norm)
        if adversarial:
            self.run.discriminator.requires_grad_(True)
            losses["discriminator"] = discriminator_loss(window, self.discriminator)
            step(
                self.run.discriminator_optimiser, losses["discriminator"], self.run.discriminator, self.fabric, max_norm
            )
        return losses

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Evaluate the averaged network on the CPU, as in use."""
        net = CompactNet(CompactConfig()).eval()
        net.load_state_dict(mean.state_dict())
        return metrics(net, self.held_out), sample_sheet(net, self.held_out)
