"""The training of the published networks, by the paper's recipe (Gao et al., CVPR 2024, supplementary).

10 L1 of pictures in [0, 1], 10 times a perceptual pyramid, and a hinge discriminator at two scales; Adam at 2e-4. The
paper's perceptual network is VGG-19, which users register; without it, the features of our own landmarker take its
place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.utils.data import DataLoader, IterableDataset

from facepipe.models.landmarker import Landmarker
from facepipe.models.resampling import resized
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.discriminator import Discriminator
from facepipe.renderers.imf.net import Imf
from facepipe.train.imf.compact import divided
from facepipe.train.imf.validation import figures, kept_frames, sheet_of
from facepipe.train.loop import to_network
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.loop import Picture, Recipe, new_run, step

PIXEL_WEIGHT, PERCEPTUAL_WEIGHT = 10.0, 10.0

Perceptual = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The perceptual distance of two (B, 3, S, S) pictures in [-1, 1], with (B, 478, 3) landmarks of the second."""


@dataclass(frozen=True)
class PublishedRecipe(Recipe):
    """The paper's optimisation: one constant rate for both, neither clipping nor decay of weights.

    The average of weights is for evaluation only. Others report that training held only with a rate of the
    discriminator of 3e-6, `discriminator_ratio` 0.015.
    """

    betas: tuple[float, float] = (0.5, 0.999)
    discriminator_betas: tuple[float, float] = (0.5, 0.999)
    decay: float = 0.0
    discriminator_decay: float = 0.0
    discriminator_ratio: float = 1.0
    max_gradient_norm: float | None = None

    def rate(self, images: int) -> float:
        """Return the learning rate, which is constant."""
        del images
        return self.peak_rate


class Drive(NamedTuple):
    """A reference with another frame of its clip, or a batch of them."""

    reference: Tensor
    """(3, S, S) uint8."""
    current: Tensor
    """(3, S, S) uint8."""
    points: Tensor
    """(478, 3) landmarks of the current frame in pixels."""


class Drives(IterableDataset[Drive]):
    """Endless random pairs of some clips, half of them mirrored. Landmarks of mirrored ones keep their order."""

    def __init__(self, cache: FrameCache, clips: list[int], seed: int) -> None:
        self.cache, self.clips, self.seed = cache, clips, seed

    def __iter__(self) -> Iterator[Drive]:
        random, side = np.random.default_rng(self.seed), self.cache.frames.shape[1]
        while True:
            rows = self.cache.clip(int(random.choice(self.clips)))
            pair = random.choice(rows.start + np.flatnonzero(self.cache.valid[rows]), 2, replace=False)
            frames, points = np.array(self.cache.frames[pair]), np.array(self.cache.points[pair[1]])
            if random.random() < 0.5:
                frames = frames[:, :, ::-1]
                points[:, 0] = side - 1 - points[:, 0]
            pictures = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
            yield Drive(pictures[0], pictures[1], torch.from_numpy(points))


def landmarker_features(landmarker: Landmarker, device: torch.device) -> Perceptual:
    """Return the distance of our landmarker's features."""
    losses = LandmarkerLosses(landmarker).to(device)
    return lambda made, truth, points: cast("Tensor", losses(made, truth, points))


class PublishedTraining:
    """The published networks with their discriminator and data."""

    def __init__(
        self,
        config: ImfConfig,
        recipe: Recipe,
        fabric: Fabric,
        cache: FrameCache,
        perceptual: Perceptual,
        held_out: int,
    ) -> None:
        """Set up a run. `held_out` people of the cache are kept for validation."""
        self.recipe, self.fabric, self.cache, self.perceptual = recipe, fabric, cache, perceptual
        self.clips, kept = divided(cache, held_out)
        self.side = config.side_pixels
        self.validation = [frames for frames, _ in kept_frames(cache, kept)]
        torch.manual_seed(recipe.seed)
        net, discriminator = (part.to(fabric.device) for part in (Imf(config), Discriminator(config)))
        self.run = new_run(net, discriminator, recipe)

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs."""
        drives = Drives(self.cache, self.clips, self.recipe.seed + images)
        return DataLoader(drives, batch_size=self.recipe.batch)

    def pictures(self, frames: Tensor) -> Tensor:
        """Convert (B, 3, H, H) uint8 to [-1, 1] at the side of the networks."""
        return resized(to_network(frames.to(self.fabric.device)), self.side)

    def advance(self, drive: Drive) -> dict[str, Tensor]:
        """Take a step of the networks, and of the discriminator once it has joined."""
        reference, truth = self.pictures(drive.reference), self.pictures(drive.current)
        points = drive.points.to(self.fabric.device) * (self.side / drive.current.shape[-1])
        made = self.run.net(reference, truth)
        losses = {
            "l1": PIXEL_WEIGHT * (made - truth).abs().mean() / 2,
            "perceptual": PERCEPTUAL_WEIGHT * self.perceptual(made, truth, points),
        }
        adversarial, discriminator = self.recipe.adversarial(self.run.images), self.run.discriminator
        if adversarial:
            discriminator.requires_grad_(False)
            losses["adversarial"] = -mean_of([scores.mean() for scores in discriminator(made)])
            discriminator.requires_grad_(True)
        step(self.run.optimiser, torch.stack([*losses.values()]).sum(), self.run.net, self.fabric, self._max_norm)
        if adversarial:
            losses["discriminator"] = hinge(discriminator, made.detach(), truth)
            step(self.run.discriminator_optimiser, losses["discriminator"], discriminator, self.fabric, self._max_norm)
        return losses

    @property
    def _max_norm(self) -> float | None:
        return self.recipe.max_gradient_norm

    @torch.no_grad()
    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Return figures of the averaged networks on held-out people, and rows of source, truth and result."""
        net, sums, rows = cast("Imf", mean), dict[str, list[float]](), list[Tensor]()
        for frames in self.validation:
            pictures = self.pictures(frames)
            prepared = net.prepare(pictures[:1])
            result = torch.cat([net.render(prepared, net.token(one[None])) for one in pictures[1:]])
            pictures, result = pictures.cpu(), result.cpu()
            for name, value in figures(pictures[1:], result=result, unmoved=pictures[:1]).items():
                sums.setdefault(name, []).append(value)
            rows.append(torch.cat([pictures[0], pictures[-1], result[-1]], 2))
        return {name: float(np.mean(values)) for name, values in sums.items()}, sheet_of(rows)


def hinge(discriminator: nn.Module, made: Tensor, truth: Tensor) -> Tensor:
    """Return the discriminator's own loss, the mean over its scales."""
    pairs = zip(discriminator(truth), discriminator(made), strict=True)
    return mean_of([relu(1 - real).mean() + relu(1 + fake).mean() for real, fake in pairs])


def mean_of(values: list[Tensor]) -> Tensor:
    """Return the mean of scalars."""
    return torch.stack(values).mean()
