"""Training of the imitator, which draws avatars as their engine does, and can be differentiated.

    facepipe train imitator --pictures PICTURES --unseen CHECK --out RUN [--profile compact|paper]

PICTURES and CHECK are outputs of `facepipe train avatar-pictures`; shards that are added to PICTURES during the run are
used from the next pass on. There are two steps: the generator alone, against a discriminator (--adversarial-steps), then
networks from vector to styles together with the generator. A run with a checkpoint in RUN resumes from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from facepipe.models.imitator import CompactImitatorConfig, Imitator, ImitatorConfig
from facepipe.train.command import TrainingParser, parser_of
from facepipe.train.imitator_losses import mixed_targets, picture_loss, psnr
from facepipe.train.imitator_pictures import AvatarShards, Batch, endless_batches
from facepipe.train.loop import Recipe, fit, to_network

COMPACT = "compact"
CONFIGS: dict[str, ImitatorConfig | CompactImitatorConfig] = {
    COMPACT: CompactImitatorConfig(),
    "paper": ImitatorConfig(),
}
# By profile: batch size, steps of either step of the training, and peak learning rate of the second one.
RECIPES = {COMPACT: (16, 0, 24_000, 2e-3), "paper": (16, 100_000, 125_000, 1e-2)}
EVALUATED = 50
"""Number of avatars that are drawn at once for the metrics."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    args = parser.parse_args(argv)
    batch, adversarial_steps, steps, rate = RECIPES[args.profile]
    for name in ("batch", "steps", "peak_rate"):
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            parser.error(f"--{name.replace('_', '-')} is {value}, expected a number above 0")
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    net = Imitator(CONFIGS[args.profile])
    seen, unseen = (AvatarShards(folder, net.generator.side) for folder in (args.pictures, args.unseen))
    recipe = Recipe(args.batch or batch, args.steps or steps, args.peak_rate or rate, decay=0, seed=args.seed)
    train(net, recipe, args.out, seen, unseen)


def train(net: Imitator, recipe: Recipe, out: Path, seen: AvatarShards, unseen: AvatarShards) -> nn.Module:
    """Train networks and generator together on vectors and pictures; return the averaged network."""

    def loss_of(net: Imitator, batch: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            rows, pictures = mixed_targets(net, batch)
            drawn = net(rows)
        return picture_loss(drawn, pictures)

    return fit(
        net,
        recipe,
        out,
        batches=lambda first: endless_batches(seen, recipe.batch, recipe.seed, first),
        loss_of=loss_of,
        evaluate=lambda net: metrics_of(net, unseen),
    )


def metrics_of(net: nn.Module, unseen: AvatarShards) -> str:
    """Return L1 (pixels in [0, 1]) and PSNR on avatars that the network has not seen."""
    errors, ratios = [], []
    for start in range(0, len(unseen.rows), EVALUATED):
        chosen = np.arange(start, min(start + EVALUATED, len(unseen.rows)))
        drawn = net(torch.from_numpy(unseen.rows[chosen])).clamp(-1, 1)
        wanted = to_network(unseen.pictures(chosen))
        errors.append((drawn - wanted).abs().mean((1, 2, 3)) / 2)
        ratios.append(psnr(drawn, wanted))
    return f"L1 {torch.cat(errors).mean():.4f} PSNR {torch.cat(ratios).mean():.2f}"


def _parser() -> TrainingParser:
    parser = parser_of("imitator", __doc__, "out")
    parser.add_argument("--pictures", type=Path, required=True, help="Pictures of avatars.", metavar="PATH")
    parser.add_argument("--unseen", type=Path, required=True, help="Pictures of avatars to judge by.", metavar="PATH")
    parser.add_argument("--profile", choices=[*CONFIGS], default=COMPACT, help="Sizes and recipe.")
    parser.add_argument("--steps", type=int, help="Steps of networks and generator together.", metavar="N")
    parser.add_argument("--batch", type=int, help="Batch size.", metavar="N")
    parser.add_argument("--peak-rate", type=float, help="Highest learning rate.", metavar="RATE")
    parser.add_argument("--seed", type=int, default=1, help="Seed of weights and batches.")
    return parser


if __name__ == "__main__":
    main()
