"""Training of the face detector on composed scenes.

    facepipe train detector --data DATA --labels LABELS --cache CACHE --out RUN

A run with RUN/checkpoint.pt resumes from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facepipe.dataset.split import split_items
from facepipe.models.detector import Detector, DetectorConfig
from facepipe.train.command import parser_of
from facepipe.train.faces import build_cache
from facepipe.train.loop import Recipe, fit, to_network
from facepipe.train.scenes import SceneSamples

SCENE_RATIO, SCENE_PIXELS, FRAMES_PER_CLIP = 4.0, 256, 16
RECIPE = Recipe(batch=24, steps=5000, peak_rate=1.5e-3)


def heat_loss(logit: Tensor, heat: Tensor) -> Tensor:
    """Return the focal loss of a heat map (CornerNet, equation 1), per face."""
    score = torch.sigmoid(logit)
    centre = heat > 0.99
    miss = -((1 - score) ** 2) * nn.functional.logsigmoid(logit) * centre
    false = -((1 - heat) ** 4) * score**2 * nn.functional.logsigmoid(-logit) * ~centre
    return (miss.sum() + false.sum()) / centre.sum().clamp_min(len(heat) / 2)


def box_loss(box_log: Tensor, truth_log: Tensor, weight: Tensor) -> Tensor:
    """Return 1 - IoU of boxes predicted by the same cell, plus the distance of their logarithms."""
    found, truth = box_log.clamp(-4, 4).exp(), truth_log.exp()
    left, top, right, bottom = torch.minimum(found, truth).unbind(1)
    overlap = (left + right) * (top + bottom)
    areas = [(box[:, 0] + box[:, 2]) * (box[:, 1] + box[:, 3]) for box in (found, truth)]
    iou = overlap / (areas[0] + areas[1] - overlap)
    distance = nn.functional.smooth_l1_loss(box_log, truth_log, reduction="none", beta=0.2).mean(1)
    return ((1 - iou + distance) * weight).sum() / weight.sum().clamp_min(1)


def loss_of(net: nn.Module, batch: Any) -> Tensor:
    """Return the loss of a batch of scenes."""
    pictures, heat, truth_log, weight = batch
    found = net(to_network(pictures))
    return heat_loss(found.score_logit, heat) + box_loss(found.box_log, truth_log, weight)


def train(data: Path, labels: Path, cache: Path, out: Path, recipe: Recipe) -> nn.Module:
    """Train and return the averaged network."""
    seen, unseen = split_items(data)
    sizes: dict[str, Any] = {"ratio": SCENE_RATIO, "size_pixels": SCENE_PIXELS, "frames_per_clip": FRAMES_PER_CLIP}
    faces = build_cache(seen, labels, cache / "scenes", **sizes)
    held_out = build_cache(unseen, labels, cache / "scenes-unseen", **sizes)
    torch.manual_seed(recipe.seed)
    check = [
        batch
        for _, batch in zip(range(12), DataLoader(SceneSamples(held_out, SCENE_PIXELS, 7), batch_size=16), strict=False)
    ]

    def batches(first: int) -> Iterable[Any]:
        return DataLoader(
            SceneSamples(faces, SCENE_PIXELS, recipe.seed + first),
            batch_size=recipe.batch,
            num_workers=1,
            prefetch_factor=4,
        )

    def evaluate(net: nn.Module) -> str:
        return f"loss {sum(float(loss_of(net, batch)) for batch in check) / len(check):.4f}"

    return fit(Detector(DetectorConfig()), recipe, out, batches=batches, loss_of=loss_of, evaluate=evaluate)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("detector", __doc__, "data", "labels", "cache", "out")
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="Number of training steps.", metavar="N")
    args = parser.parse_args(argv)
    recipe = Recipe(batch=RECIPE.batch, steps=args.steps, peak_rate=RECIPE.peak_rate)
    train(args.data, args.labels, args.cache, args.out, recipe)


if __name__ == "__main__":
    main()
