"""The training of the compact bi-layer network.

The losses are those of the compact renderer without its discriminator, weighted by the matte: a pixel of the background
counts little, since results show another one. The mask has the binary cross-entropy of the paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, default_collate

from facepipe.face.model import FaceModel
from facepipe.models.landmarker import Landmarker
from facepipe.renderers.bilayer.compact.config import CompactBilayerConfig
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet, Frame, Texture
from facepipe.train.bilayer.mattes import Mattes
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE, HeadBatch, HeadPair, HeadPairs, to_batch
from facepipe.train.pirender.batch import by_flow, selected
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.loop import Picture, Recipe, new_run, step
from facepipe.train.pirender.losses import attention, coarse, detail, edges, fine_boxes, mouth_box, pyramid

TARGETS_OF_UNSEEN = 4
# Weight of a pixel of the background.
BACKGROUND = 0.1
# Weight of each loss.
WEIGHTS = {
    "l1": 4.0,
    "edges": 2.0,
    "features": 0.5,
    "points": 2.0,
    "warp": 1.0,
    "detail": 4.0,
    "crossed": 2.0,
    "coarse": 1.0,
    "mask": 1.0,
    "texture": 0.05,
    "shade": 0.02,
}


def of_pairs(texture: Texture) -> Texture:
    """Repeat the rows of a texture, one for each source, for the pairs of the source."""
    return Texture(*(part.repeat_interleave(PAIRS_OF_A_SOURCE, 0) for part in texture))


def picture_losses(made: Frame, texture: Texture, batch: HeadBatch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return all losses, unweighted."""
    known = ~batch.crossed
    # Parts of the source have fewer rows than the batch.
    pairs = HeadBatch(
        *(part if len(part) == len(known) else part.repeat_interleave(PAIRS_OF_A_SOURCE, 0) for part in batch)
    )
    losses = truth_losses(selected(made, known), selected(pairs, known), landmarker)
    if batch.crossed.any():
        losses |= crossed_losses(selected(made, batch.crossed), selected(pairs, batch.crossed), landmarker)
    change = texture.colour[:, :3] - batch.source
    return {**losses, "texture": change.abs().mean(), "shade": made.shade.abs().mean()}


def truth_losses(made: Frame, batch: HeadBatch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of pictures whose truth is known."""
    picture, side = made.picture, made.picture.shape[-1]
    weight, fine = attention(batch.points, side), fine_boxes(batch.points, side)
    weight = weight * (BACKGROUND + (1 - BACKGROUND) * batch.matte)
    features, points = landmarker.features_and_points(by_flow(made, fine), batch.truth, batch.points)  # type: ignore[arg-type]
    return {
        "l1": pyramid(picture, batch.truth, weight),
        "edges": edges(picture, batch.truth, weight),
        "features": features,
        "points": points,
        "warp": pyramid(made.warped, batch.truth, weight),
        "detail": detail(picture * batch.matte, batch.truth * batch.matte),
        "mask": functional.binary_cross_entropy_with_logits(made.mask, batch.matte),
    }


def crossed_losses(made: Frame, batch: HeadBatch, landmarker: LandmarkerLosses) -> dict[str, Tensor]:
    """Return the losses of pictures in another person's motion, whose truth is unknown."""
    side = made.picture.shape[-1]
    return {
        "crossed": landmarker.misplaced(by_flow(made, mouth_box(batch.points, side)), batch.points),  # type: ignore[arg-type]
        "coarse": coarse(made.picture, batch.prior),
    }


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum of losses."""
    return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()


def rendered(net: CompactBilayerNet, batch: HeadBatch, fabric: Fabric | None = None) -> tuple[Frame, Texture]:
    """Embed the sources of a batch and render its pairs; the networks run in the precision of `fabric`."""
    inputs = (batch.prior, batch.position, batch.maps, batch.keypoints)
    with fabric.autocast() if fabric else nullcontext():
        texture = net.embedder(batch.source, batch.source_matte, batch.source_maps)
        made = net.decide(of_pairs(texture), *inputs)
    texture = Texture(*(part.float() for part in texture))
    return net.compose(of_pairs(texture), *inputs[:3], made), texture


class CompactBilayerTraining:
    """The compact bi-layer network with its data and losses."""

    def __init__(
        self,
        recipe: Recipe,
        fabric: Fabric,
        caches: tuple[FrameCache, FrameCache],
        mattes: tuple[Mattes, Mattes],
        model: FaceModel,
        landmarker: Landmarker,
    ) -> None:
        """Set up a run on the frames and mattes of seen and unseen people. `fabric` must have been launched."""
        self.recipe, self.fabric, self.model = recipe, fabric, model
        self.cache, unseen = caches
        self.mattes, unseen_mattes = mattes
        self.held_out = self._held_out(HeadPairs(unseen, unseen_mattes, model, 0, augment=False))
        self.landmarker = LandmarkerLosses(landmarker).to(fabric.device)
        torch.manual_seed(recipe.seed)
        net = CompactBilayerNet(CompactBilayerConfig()).to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.run = new_run(net, nn.Conv2d(1, 1, 1), recipe)
        self.net, self.run.optimiser = fabric.setup(self.run.net, self.run.optimiser)

    @staticmethod
    def _held_out(pairs: HeadPairs) -> list[HeadPair]:
        """Return the first frame of every unseen clip with some of its other frames, one batch per clip."""
        random, batches, cache = np.random.default_rng(0), [], pairs.cache
        for clip in range(len(cache.names)):
            there = np.flatnonzero(cache.valid[cache.clip(clip)])
            targets = there[np.linspace(0, len(there) - 1, TARGETS_OF_UNSEEN + 1).astype(int)].tolist()
            batches.append(default_collate(list(pairs.of_source(clip, targets[0], targets[1:], random))))
        return batches

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs."""
        seed = self.recipe.seed + images + 1000 * self.fabric.global_rank
        pairs = HeadPairs(self.cache, self.mattes, self.model, seed, crossed=True)
        options = {"num_workers": self.recipe.workers, "prefetch_factor": 4 if self.recipe.workers else None}
        return self.fabric.setup_dataloaders(DataLoader(pairs, batch_size=self.recipe.batch, **options))  # type: ignore[arg-type]

    def advance(self, batch: HeadPair) -> dict[str, Tensor]:
        """Take a step."""
        tensors = to_batch(batch)
        made, texture = rendered(self.run.net, tensors, self.fabric)  # type: ignore[arg-type]
        losses = picture_losses(made, texture, tensors, self.landmarker)
        step(self.run.optimiser, weighted(losses), self.run.net, self.fabric, self.recipe.max_gradient_norm)
        return losses

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Evaluate the averaged network on the CPU, as in use."""
        net = CompactBilayerNet(CompactBilayerConfig()).eval()
        net.load_state_dict(mean.state_dict())
        return metrics(net, self.held_out), sample_sheet(net, self.held_out)


@torch.no_grad()
def metrics(net: CompactBilayerNet, batches: list[HeadPair]) -> dict[str, float]:
    """Return, inside the matte, PSNR in dB and L1 of mouth and eyes of result and prior; and the mask's IoU."""
    sums: dict[str, list[float]] = {}
    for pair in batches:
        batch = to_batch(pair)
        made, _ = rendered(net, batch)
        inside = batch.matte > 0.5
        mouth = (attention(batch.points, made.picture.shape[-1]) > 3) & inside
        for name, picture in (("result", made.picture), ("prior", batch.prior)):
            gap = (picture - batch.truth) * 127.5
            error = (gap.square() * inside).sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)).clamp(min=1))
            sums.setdefault(f"psnr {name}", []).append(float((10 * torch.log10(255**2 / error.clamp_min(1e-6))).mean()))
            sums.setdefault(f"fine l1 {name}", []).append(float((gap.abs() * mouth).sum() / (3 * mouth.sum())))
            sums.setdefault(f"detail {name}", []).append(
                float(detail(picture * batch.matte, batch.truth * batch.matte))
            )
        for name, matte in (("result", made.mask > 0),):
            union, both = (matte | inside).sum(), (matte & inside).sum()
            sums.setdefault(f"iou {name}", []).append(float(both / union.clamp(min=1)))
    return {name: sum(values) / len(values) for name, values in sums.items()}


def sample_sheet(net: CompactBilayerNet, batches: list[HeadPair], sheet_rows: int = 8) -> Picture:
    """Return rows of source, texture, truth, prior, warped texture, low-frequency layer, result, result on grey."""
    lines = []
    for pair in batches[:: max(1, len(batches) // sheet_rows)]:
        batch = to_batch(pair)
        with torch.no_grad():
            made, texture = rendered(net, batch)
        mask = made.mask.sigmoid()
        parts = (batch.source, texture.colour[:, :3], batch.truth, batch.prior, made.warped, made.shade, made.picture)
        composite = made.picture * mask + 0.2 * (1 - mask)
        lines.append(torch.cat([part[-1] for part in (*parts, composite)], dim=2))
    sheet = (torch.cat(lines, dim=1) + 1) * 127.5
    return np.asarray(sheet.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy())
