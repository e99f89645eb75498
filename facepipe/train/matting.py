"""Training of the matting network on the mattes of a teacher.

    facepipe train matting --data DATA --mattes MATTES --cache CACHE --out RUN
    facepipe train matting --data DATA --mattes MATTES --cache CACHE --out RUN --judge FILE.safetensors

MATTES is written by tools/mattes_with_mediapipe.py. The trunk starts from the released face detector. One person in
twelve of the training people is left out and judges the network during the training. --judge trains nothing: it prints
the measures of a released file on the people that no training sees. A run with RUN/checkpoint.pt resumes from it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from facepipe import weights
from facepipe.checkpoint import load_network
from facepipe.dataset.split import Item, split_items
from facepipe.face.cropping import sample
from facepipe.face.detector import Detector
from facepipe.models import detector as network
from facepipe.models.blocks import InvertedResidual, unfold_norms
from facepipe.models.matting import Matting, MattingConfig
from facepipe.train.command import parser_of
from facepipe.train.loop import Recipe, fit, to_network
from facepipe.train.matte_measures import MatteMeasures, measures
from facepipe.train.matte_samples import MatteSamples
from facepipe.train.mattes import MatteCache, build_cache

RECIPE = Recipe(batch=16, steps=1800, peak_rate=1.5e-3, warm_up=100, average=0.99, evaluate_every=100)
# Most steps run on small pictures, which cost a quarter; the last ones on the size of inference.
SIZES = ((0.5, 128), (0.8, 192), (1.0, 256))
CROP_PIXELS, VALIDATION_SHARE, BOUNDARY_WEIGHT = 256, 12, 3.0


def size_at(step: int, steps: int) -> int:
    """Return the side in pixels of the pictures of a step."""
    return next((size for share, size in SIZES if step < share * steps), SIZES[-1][1])


def matte_loss(logit: Tensor, matte: Tensor) -> Tensor:
    """Return the loss of (B, H, W) logits against mattes in [0, 1]: cross-entropy, L1 and gradients at 3 scales."""
    edge = functional.max_pool2d(4 * matte * (1 - matte), 7, 1, 3)
    weight = 1 + BOUNDARY_WEIGHT * edge
    entropy = functional.binary_cross_entropy_with_logits(logit, matte, reduction="none")
    total = (entropy * weight).sum() / weight.sum()
    found, truth = torch.sigmoid(logit)[:, None], matte[:, None]
    for _ in range(3):
        total = total + (found - truth).abs().mean()
        for axis in (2, 3):
            total = total + (found.diff(dim=axis) - truth.diff(dim=axis)).abs().mean()
        found, truth = functional.avg_pool2d(found, 2), functional.avg_pool2d(truth, 2)
    return total


def loss_of(net: nn.Module, batch: Any) -> Tensor:
    """Return the loss of a batch of samples."""
    pictures, mattes = batch
    return matte_loss(net(to_network(pictures)), mattes.float() / 255)


def start_at_detector(net: Matting, weight: Path, pictures: Tensor) -> None:
    """Load the detector into the trunk; norms get their statistics from (B, 3, S, S) pictures.

    Blocks that the detector lacks begin as the identity.
    """
    released = load_network(weight, "detector", network.Detector, network.DetectorConfig, precision="fp32", threads=1)
    state = {f"trunk.{name}": value for name, value in released.state_dict().items() if not name.startswith("head.")}
    for name, part in net.trunk.named_modules(prefix="trunk"):
        if isinstance(part, InvertedResidual) and f"{name}.body.0.weight" not in state:
            nn.init.zeros_(cast("Any", part.body[-1]).weight)
    unfold_norms(net, state, to_network(pictures))


def validates(item: Item) -> bool:
    """Return whether an item belongs to the part of the training people that judges the network."""
    return zlib.crc32(item.identity.encode()) % VALIDATION_SHARE == 0


@torch.no_grad()
def judge(net: nn.Module, cache: MatteCache, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the measures (R, 4) of the network on the crops around the heads of R chosen rows of a cache."""
    found = []
    for row in np.flatnonzero(rows):
        crop = cache.crop(int(row))
        picture, truth = (sample(plane[row], crop, CROP_PIXELS) for plane in (cache.pictures, cache.mattes))
        logit = net(to_network(torch.from_numpy(picture).permute(2, 0, 1)[None]))
        found.append(measures(torch.sigmoid(logit)[0].numpy(), np.asarray(truth, np.float32) / 255))
    return np.array(found)


def mean_of(found: NDArray[np.float64]) -> MatteMeasures:
    """Return the means of (R, 4) measures."""
    return MatteMeasures(*found.mean(0).tolist())


def train(data: Path, mattes: Path, cache: Path, out: Path, recipe: Recipe) -> nn.Module:
    """Train and return the averaged network."""
    # A worker process forked while OpenCV's threads exist waits for them forever.
    cv2.setNumThreads(1)
    seen, _ = split_items(data)
    known = build_cache(seen, mattes, cache / "seen", Detector(weights.find("detector").path))
    held_out = np.array([validates(item) for item in seen])[known.item]
    # Frames of one clip are alike, so a third of them is enough to judge.
    judged = held_out & (known.portrait | (np.arange(len(held_out)) % 3 == 0))
    torch.manual_seed(recipe.seed)
    net = Matting(MattingConfig())

    def batches(first: int) -> Iterable[Any]:
        samples = MatteSamples(
            known, ~held_out, recipe.seed, first, recipe.batch, lambda step: size_at(step, recipe.steps)
        )
        return DataLoader(samples, batch_size=recipe.batch, num_workers=1, prefetch_factor=2)

    start_at_detector(net, weights.find("detector").path, next(iter(batches(0)))[0])
    return fit(
        net,
        recipe,
        out,
        batches=batches,
        loss_of=loss_of,
        evaluate=lambda average: f"(validation people) {mean_of(judge(average, known, judged))}",
    )


def judge_file(data: Path, mattes: Path, cache: Path, file: Path) -> None:
    """Print the measures of a released file on the unseen people."""
    _, unseen = split_items(data)
    known = build_cache(unseen, mattes, cache / "unseen", Detector(weights.find("detector").path))
    net = load_network(file, "matting", Matting, MattingConfig, precision="fp32")
    every = np.ones(len(known.item), bool)
    found = judge(net, known, every)
    for name, rows in (("clips", ~known.portrait), ("portraits", known.portrait), ("all", every)):
        print(f"{name}: {rows.sum()} frames, {mean_of(found[rows])}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("matting", __doc__, "data", "mattes", "cache", "out")
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="Number of training steps.", metavar="N")
    parser.add_argument("--batch", type=int, default=RECIPE.batch, help="Pictures in a batch.", metavar="N")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="Released file to measure on unseen people.")
    args = parser.parse_args(argv)
    if args.judge:
        judge_file(args.data, args.mattes, args.cache, args.judge)
        return
    train(args.data, args.mattes, args.cache, args.out, replace(RECIPE, steps=args.steps, batch=args.batch))


if __name__ == "__main__":
    main()
