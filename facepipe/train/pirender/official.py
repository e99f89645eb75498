"""The paper's training (sections 3 and 4.1): VGG losses; warping first, then the whole network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from facepipe import weights
from facepipe.dataset.listing import path_of, read_list
from facepipe.errors import InputError
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.net import Pirender, Rendering
from facepipe.spaces import bfm
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.coefficients import Floats
from facepipe.spaces.files import load_coefficients
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.frames import FramePairs, Frames, both_ways
from facepipe.train.pirender.loop import Picture, Recipe, new_run, step
from facepipe.train.pirender.perceptual import VggLoss, open_vgg19, paper_losses

SAMPLE_ROWS = 8

INITIAL_DEVIATION = 0.02


@dataclass(frozen=True)
class PaperRecipe(Recipe):
    """The paper's schedule: half of the images for the warp alone, and a lower rate in the last quarter."""

    average: float = 0.5 ** (32 / 10_000)
    betas: tuple[float, float] = (0.5, 0.999)
    decay: float = 0.0
    max_gradient_norm: float | None = None

    def rate(self, images: int) -> float:
        """Return the learning rate: constant, and a fifth of it for the last quarter of the images."""
        return self.peak_rate * (0.2 if 4 * images >= 3 * self.images else 1.0)

    def warps_only(self, images: int) -> bool:
        """Whether this is the first stage, which trains the warp alone."""
        return 2 * images < self.images


def initialise(net: Pirender) -> Pirender:
    """Initialise all layers as the paper's code does: normal with standard deviation 0.02, biases zero."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=INITIAL_DEVIATION)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net


@torch.no_grad()
def metrics(net: Pirender, held_out: list[Frames], *, warps_only: bool) -> dict[str, float]:
    """Return the mean PSNR in dB of warp, picture and unmoved source, over frames of unseen people."""
    sums: dict[str, list[float]] = {}
    for frames in held_out:
        sources, descriptors, truths = both_ways(frames)
        made: Rendering = net(sources, descriptors, edit=not warps_only)
        found = {"unmoved": sources, "warp": made.warp_image, "picture": made.fake_image}
        for name, picture in found.items():
            if picture is not None:
                error = ((picture - truths) * 127.5).square().mean((1, 2, 3)).clamp_min(1e-6)
                sums.setdefault(f"psnr {name}", []).append(float((10 * torch.log10(255**2 / error)).mean()))
    return {name: sum(values) / len(values) for name, values in sums.items()}


def open_vgg() -> VggLoss:
    """Return the losses over the registered VGG-19. Raises WeightsError with instructions if there is none."""
    return VggLoss(open_vgg19())


def check_coefficients(dataset: Path) -> None:
    """Raise InputError with instructions unless every clip has coefficients in the space `bfm`."""
    without = [entry.id for entry in read_list(dataset) if not path_of(dataset, entry.id, "bfm").exists()]
    if without:
        needed = "" if "deep3d" in weights.registered() else f"; first {weights.THIRD_PARTY['deep3d'].remedy('deep3d')}"
        raise InputError(
            f"{len(without)} clips of {dataset} have no coefficients in the motion space bfm, which the published "
            f"network needs, {without[0]} among them: `facepipe dataset build CLIPS {dataset} --space bfm` makes them"
            f"{needed}."
        )


def rows_of(dataset: Path, cache: FrameCache) -> list[Floats]:
    """Return the (T, 73) descriptor rows of every clip. Raises InputError if coefficients have another length."""
    rows = []
    for index, name in enumerate(cache.names):
        path, part = path_of(dataset, name, "bfm"), cache.clip(index)
        found = load_coefficients(path, space=bfm.SPACE)
        assert isinstance(found, BfmCoefficients)
        if len(found) != part.stop - part.start:
            raise InputError(
                f"{path} has {len(found)} frames, its clip has {part.stop - part.start}. Build the set again."
            )
        rows.append(found.descriptor_rows())
    return rows


class OfficialTraining:
    """Training of the paper's network, in the paper's size unless `config` is given."""

    def __init__(
        self,
        recipe: PaperRecipe,
        fabric: Fabric,
        dataset: Path,
        cache: FrameCache,
        unseen: FrameCache,
        loss: VggLoss,
        config: PirenderConfig | None = None,
    ) -> None:
        """Set up a run. `cache` and `unseen` hold frames of `dataset`; `fabric` must have been launched."""
        self.recipe, self.fabric, self.cache = recipe, fabric, cache
        self.config = config or PirenderConfig(unused_branch=False)
        self.rows = rows_of(dataset, cache)
        self.held_out = self._held_out(dataset, unseen) if fabric.is_global_zero else []
        self.loss = loss.to(fabric.device)
        torch.manual_seed(recipe.seed)
        net = initialise(Pirender(self.config)).to(fabric.device)
        self.run = new_run(net, nn.Linear(1, 1), recipe)
        self.net, self.run.optimiser = fabric.setup(self.run.net, self.run.optimiser)

    @staticmethod
    def _held_out(dataset: Path, unseen: FrameCache) -> list[Frames]:
        """Return the first and the middle frame of every unseen clip, one batch per clip."""
        pairs, held_out = FramePairs(unseen, rows_of(dataset, unseen), 0), []
        for clip in range(len(unseen.names)):
            there = np.flatnonzero(unseen.valid[unseen.clip(clip)])
            held_out.append(default_collate([pairs.pair(clip, int(there[0]), int(there[len(there) // 2]))]))
        return held_out

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs of frames."""
        pairs = FramePairs(self.cache, self.rows, self.recipe.seed + images + 1000 * self.fabric.global_rank)
        return self.fabric.setup_dataloaders(
            DataLoader(pairs, batch_size=self.recipe.batch, num_workers=self.recipe.workers)
        )

    def advance(self, batch: Frames) -> dict[str, Tensor]:
        """Take one step; each frame of a pair is the source of the other."""
        sources, descriptors, truths = both_ways(batch)
        made = self.net(sources, descriptors, edit=not self.recipe.warps_only(self.run.images))
        losses = paper_losses(self.loss, made.warp_image, made.fake_image, truths)
        total = torch.stack([*losses.values()]).sum()
        step(self.run.optimiser, total, self.run.net, self.fabric, self.recipe.max_gradient_norm)
        return losses

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Evaluate the averaged network on the CPU."""
        net = Pirender(self.config).eval()
        net.load_state_dict(mean.state_dict())
        warps_only = self.recipe.warps_only(self.run.images)
        rows = []
        for frames in self.held_out[:SAMPLE_ROWS]:
            sources, descriptors, truths = both_ways(frames)
            with torch.no_grad():
                made = net(sources, descriptors, edit=not warps_only)
            parts = (sources, truths, made.warp_image, *(() if warps_only else (made.fake_image,)))
            rows.append(torch.cat([part[0] for part in parts], dim=2))
        sheet = ((torch.cat(rows, dim=1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return metrics(net, self.held_out, warps_only=warps_only), np.asarray(sheet.permute(1, 2, 0).numpy())
