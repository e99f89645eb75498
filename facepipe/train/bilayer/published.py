"""The training of the published networks (Zakharov et al., ECCV 2020, and supplementary), in two stages."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from facepipe.renderers.bilayer.config import EPSILON, BilayerConfig
from facepipe.renderers.bilayer.discriminator import Discriminator
from facepipe.renderers.bilayer.embedder import masked
from facepipe.renderers.bilayer.published import Bilayer
from facepipe.train.bilayer.frames import ClipFrames, Pair, to_batch
from facepipe.train.bilayer.losses import WarpDecay
from facepipe.train.bilayer.mattes import Mattes
from facepipe.train.bilayer.perceptual import PerceptualLoss
from facepipe.train.bilayer.run import new_published_run
from facepipe.train.bilayer.stages import OWN, Made, Stage, base_made, losses_of, made_of
from facepipe.train.bilayer.standing import BATCHES
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.loop import Picture, Recipe, save, step

SAMPLE_ROWS = 8


@dataclass(frozen=True)
class PublishedRecipe(Recipe):
    """The published optimiser: Adam at a constant rate, the same for the discriminator."""

    betas: tuple[float, float] = (0.5, 0.999)
    decay: float = 0.0
    epsilon: float = EPSILON
    discriminator_ratio: float = 1.0
    discriminator_betas: tuple[float, float] = (0.5, 0.999)
    discriminator_decay: float = 0.0
    max_gradient_norm: float | None = None
    checkpoint_minutes: float = 15.0
    evaluate_images: int = 200_000
    standing_batches: int = BATCHES
    """Mini-batches over which the statistics of batch norms are averaged."""

    def rate(self, images: int) -> float:
        """Return the learning rate."""
        del images
        return self.peak_rate


class PublishedTraining:
    """One stage of the training of the published networks."""

    def __init__(
        self,
        recipe: PublishedRecipe,
        fabric: Fabric,
        caches: tuple[FrameCache, FrameCache],
        mattes: tuple[Mattes, Mattes],
        perceptual: PerceptualLoss,
        config: BilayerConfig,
        stage: Stage = "base",
    ) -> None:
        """Set up a run on the frames and mattes of seen and unseen people. `fabric` must have been launched."""
        self.recipe, self.fabric, self.stage = recipe, fabric, stage
        self.frames = ClipFrames(caches[0], mattes[0], config.side_pixels, recipe.seed)
        # Statistics are measured on other pairs than those of the steps before.
        self.measured = ClipFrames(caches[0], mattes[0], config.side_pixels, recipe.seed + 1)
        self.held_out = self._held_out(ClipFrames(caches[1], mattes[1], config.side_pixels, 0))
        self.perceptual = perceptual.to(fabric.device)
        self.warp = WarpDecay()
        torch.manual_seed(recipe.seed)
        self.run = new_published_run(config, stage, recipe, fabric.device)
        self.run.training_mode()

    @staticmethod
    def _held_out(frames: ClipFrames) -> list[Pair]:
        """Return the first and the middle frame of every unseen clip, one batch per clip."""
        pairs = [(clip, int(there[0]), int(there[len(there) // 2])) for clip, there in enumerate(frames.there)]
        return [default_collate([frames.pair(*pair)]) for pair in pairs]

    def _stream(self, frames: ClipFrames, first: int) -> Iterable[Any]:
        options: dict[str, Any] = {"batch_size": self.recipe.batch, "num_workers": self.recipe.workers}
        return self.fabric.setup_dataloaders(DataLoader(frames, sampler=range(first, sys.maxsize), **options))

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs, the same from a number of images on whether a run is resumed or not."""
        return self._stream(self.frames, images)

    def made(self, net: Bilayer, batch: Pair) -> Made:
        """Return what the networks make of a batch, in the precision of the run."""
        with self.fabric.autocast():
            return made_of(net, batch)

    def advance(self, batch: Pair) -> dict[str, Tensor]:
        """Take a step of networks and discriminator, both with the losses from before the step."""
        tensors = to_batch(batch)
        made = self.made(self.run.networks, tensors)
        discriminator = cast("Discriminator", self.run.discriminator)
        warp = self.warp.at(self.run.images // self.recipe.batch)
        losses = losses_of(made, tensors.target, discriminator, self.perceptual, stage=self.stage, warp=warp)
        # The discriminator last: the backward of the networks needs its weights as they were.
        theirs = torch.stack([value for name, value in losses.items() if name != OWN]).sum()
        limit = self.recipe.max_gradient_norm
        step(self.run.optimiser, theirs, self.run.net, self.fabric, limit)
        step(self.run.discriminator_optimiser, losses[OWN], discriminator, self.fabric, limit)
        return losses

    def _standing_batches(self) -> Iterator[Pair]:
        return (to_batch(pair) for pair in islice(self._stream(self.measured, 0), self.recipe.standing_batches))

    def make_ready(self) -> None:
        """Make the networks ready for use."""
        self.run.make_ready(self._standing_batches(), base_made)

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Evaluate the networks as they are in use."""
        self.make_ready()
        net = cast("Bilayer", mean)
        return metrics(net, self.held_out, self.fabric), sample_sheet(net, self.held_out, self.fabric)

    def complete(self, out: Path) -> None:
        """Make a run ready whose last checkpoint is from between two evaluations."""
        if self.run.measured_images != self.run.images:
            self.make_ready()
            save(self.run, out / "checkpoint.pt")


@torch.no_grad()
def metrics(net: Bilayer, held_out: list[Pair], fabric: Fabric) -> dict[str, float]:
    """Return, inside the matte, PSNR in dB of result and source; and the mask's IoU. Means over unseen clips."""
    sums: dict[str, list[float]] = {}
    for pair in held_out:
        batch = to_batch(fabric.to_device(pair))
        made, inside = made_of(net, batch), batch.target.matte > 0.5
        found = {"result": made.layers.compose(made.texture).clamp(-1, 1), "unmoved": batch.source.picture}
        for name, picture in found.items():
            gap = (picture - batch.target.picture) * 127.5
            error = (gap.square() * inside).sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)).clamp(min=1))
            sums.setdefault(f"psnr {name}", []).append(float((10 * torch.log10(255**2 / error.clamp_min(1e-6))).mean()))
        matte = made.layers.logits > 0
        union, both = (matte | inside).sum(), (matte & inside).sum()
        sums.setdefault("iou mask", []).append(float(both / union.clamp(min=1)))
    return {name: sum(values) / len(values) for name, values in sums.items()}


@torch.no_grad()
def sample_sheet(net: Bilayer, held_out: list[Pair], fabric: Fabric) -> Picture:
    """Return rows of source, its drawing, target, texture, low-frequency layer, result, and result on black."""
    rows = []
    for pair in held_out[:: max(1, len(held_out) // SAMPLE_ROWS)]:
        batch = to_batch(fabric.to_device(pair))
        made = made_of(net, batch)
        result = made.layers.compose(made.texture)
        parts = (batch.source.picture, batch.source.drawing, batch.target.picture, made.texture, made.layers.low)
        rows.append(torch.cat([part[0] for part in (*parts, result, masked(result, made.mask))], dim=2))
    sheet = ((torch.cat(rows, dim=1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(sheet.permute(1, 2, 0).cpu().numpy())
