"""Training of the imitator, which draws avatars as their engine does, and can be differentiated.

    facepipe train imitator --pictures PICTURES --unseen CHECK --out RUN [--profile compact|paper]
    facepipe train imitator --unseen CHECK --judge weights/avatar-imitator.safetensors

PICTURES and CHECK are outputs of `facepipe train avatar-pictures`; shards that are added to PICTURES during the run are
used from the next pass on. There are two steps: the generator alone, against a discriminator (--adversarial-steps),
then the networks from vector to styles together with the generator. A run with a checkpoint in RUN resumes from it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn

from facepipe.checkpoint import load_network
from facepipe.device import bfloat16_is_fast, compute_device
from facepipe.models.imitator import NAME, CompactImitatorConfig, Imitator, ImitatorConfig, config_of
from facepipe.models.stylegan2.discriminator import Discriminator
from facepipe.train.adversarial import AdversarialNets, AdversarialRecipe, pretrain
from facepipe.train.command import FOLDERS, TrainingParser, parser_of
from facepipe.train.imitator_losses import mixed_targets, picture_loss
from facepipe.train.imitator_measures import measured
from facepipe.train.imitator_pictures import AvatarShards, Batch, endless_batches
from facepipe.train.loop import Recipe, fit, to_network


@dataclass(frozen=True)
class Profile:
    """Sizes and recipe of a training."""

    config: ImitatorConfig | CompactImitatorConfig
    recipe: Recipe
    adversarial_steps: int


PROFILES = {
    "compact": Profile(CompactImitatorConfig(), Recipe(16, 20_000, 2e-3, decay=0), 0),
    # The paper's second step is 20 epochs of 100,000 avatars, its rate halved after each two of them. Batch and steps
    # of the first one were not published.
    "paper": Profile(ImitatorConfig(), Recipe(16, 125_000, 1e-2, decay=0, halvings=9), 100_000),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    args = parser.parse_args(argv)
    _check(parser, args)
    cv2.setNumThreads(1)
    profile = PROFILES[args.profile]
    if args.judge:
        net = load_network(args.judge, NAME, Imitator, config_of, precision="fp32")
        print(measured(net, AvatarShards(args.unseen, net.generator.side)))
        return
    given = {name: getattr(args, name) for name in ("steps", "batch", "peak_rate") if getattr(args, name)}
    recipe = replace(profile.recipe, seed=args.seed, **given)
    torch.manual_seed(args.seed)
    net = Imitator(profile.config).to(compute_device())
    seen, unseen = (AvatarShards(folder, net.generator.side) for folder in (args.pictures, args.unseen))
    first = profile.adversarial_steps if args.adversarial_steps is None else args.adversarial_steps
    if first and not (args.out / "checkpoint.pt").exists():
        train_generator(net, AdversarialRecipe(recipe.batch, first, seed=args.seed), args.out, seen)
    train(net, recipe, args.out, seen, unseen)


def train_generator(net: Imitator, recipe: AdversarialRecipe, out: Path, seen: AvatarShards) -> None:
    """Train the generator alone, the paper's first step, and leave it in `net`."""
    device = compute_device()

    def pictures(first: int) -> Iterator[Tensor]:
        for batch in endless_batches(seen, recipe.batch, recipe.seed, first):
            yield to_network(batch.pictures.to(device))

    discriminator = Discriminator(net.config.discriminator_widths).to(device)
    pretrain(AdversarialNets(net.generator), discriminator, recipe, out, pictures)


def train(net: Imitator, recipe: Recipe, out: Path, seen: AvatarShards, unseen: AvatarShards) -> nn.Module:
    """Train networks and generator together on vectors and pictures; return the averaged network."""
    device = compute_device()

    def loss_of(net: Imitator, batch: Batch) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda" or bfloat16_is_fast()):
            rows, pictures = mixed_targets(net, batch.to(device))
            drawn = net(rows)
        return picture_loss(drawn, pictures)

    return fit(
        net,
        recipe,
        out,
        batches=lambda first: endless_batches(seen, recipe.batch, recipe.seed, first),
        loss_of=loss_of,
        evaluate=lambda net: str(measured(net, unseen)),
    )


def _check(parser: TrainingParser, args: argparse.Namespace) -> None:
    """End the program with a message for options that are missing, and for numbers that make no sense."""
    if not args.judge and not (args.pictures and args.out):
        parser.error("a training needs --pictures and --out")
    for name in ("batch", "steps", "peak_rate"):
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            parser.error(f"--{name.replace('_', '-')} is {value}, expected a number above 0")
    if (args.adversarial_steps or 0) < 0:
        parser.error(f"--adversarial-steps is {args.adversarial_steps}, expected 0 or more")


def _parser() -> TrainingParser:
    parser = parser_of("imitator", __doc__)
    parser.add_argument("--out", type=Path, help=FOLDERS["out"], metavar="PATH")
    parser.add_argument("--pictures", type=Path, help="Pictures of avatars.", metavar="PATH")
    parser.add_argument("--unseen", type=Path, required=True, help="Pictures of avatars to judge by.", metavar="PATH")
    parser.add_argument("--judge", type=Path, help="Weight file to measure, in place of a training.", metavar="FILE")
    parser.add_argument("--profile", choices=[*PROFILES], default="compact", help="Sizes and recipe.")
    parser.add_argument(
        "--adversarial-steps",
        type=int,
        help="Steps of the generator alone, against a discriminator; default: none for compact.",
        metavar="N",
    )
    parser.add_argument("--steps", type=int, help="Steps of networks and generator together.", metavar="N")
    parser.add_argument("--batch", type=int, help="Batch size.", metavar="N")
    parser.add_argument("--peak-rate", type=float, help="Highest learning rate.", metavar="RATE")
    parser.add_argument("--seed", type=int, default=1, help="Seed of weights and batches.")
    return parser


if __name__ == "__main__":
    main()
