"""Training of the mapper of W+ codes (Sang et al. 2022), for users with e4e and a stylised generator of their own.

    facepipe train code-mapper --codes CODES.npz --imitator IMITATOR.safetensors --out RUN [--steps N]
    facepipe weights add RUN/avatar-mapper-wplus.safetensors
    facepipe avatar create portrait.jpg --wplus CODE.npy --stylized STYLISED.png -o me/

`facepipe train code-pictures` makes CODES.npz. No vector is known: the frozen imitator draws the mapper's relaxed
vector, and the drawing is compared with the stylised picture. The factor beta of the softmax is 1 in the first of 20
epochs and 1 more in each further one. The last tenth of the codes judges the mapper. A run with RUN/checkpoint.pt
resumes from it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

import cv2
import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import CONTINUOUS
from facepipe.checkpoint import save_network
from facepipe.creation import CODE_MAPPER
from facepipe.creation.imitation import Imitator as Imitation
from facepipe.creation.mapping import KIND
from facepipe.device import compute_device
from facepipe.models.avatar_mapper import AvatarMapper, MapperConfig
from facepipe.models.imitator import Imitator
from facepipe.train.code_pictures import CodePictures, load_code_pictures
from facepipe.train.command import parser_of
from facepipe.train.imitator_losses import picture_loss
from facepipe.train.loop import Recipe, fit, to_network
from facepipe.train.mapper import BETAS, beta_at

RECIPE = Recipe(batch=16, steps=0, peak_rate=1e-4, warm_up=100, decay=0, average=0.998, evaluate_every=500)
HELD_SHARE = 0.1
"""Share of the codes, at the end, that judges; two codes at least."""
CELLS = 8
"""Side of the grid of mean colours: those of hair and skin, whatever their detail."""
COLOURS = 2.0
"""Weight of the mean colours."""
NEUTRALITY = 0.05
"""Weight of the squared distance of sliders from neutral, where those that no picture shows shall stay."""
FIRST_SHARE = 0.1
"""Scale of the last layers at the beginning, so that the first vectors are about neutral."""
LEAST_DEVIATION = 1e-3


class Batch(NamedTuple):
    """B codes with pictures."""

    beta: float
    codes: Tensor
    """(B, 18, 512)."""
    pictures: Tensor
    """(B, 3, S, S), -1 to 1."""
    inside: Tensor
    """(B, 1, S, S), 0 to 1."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes with pictures as tensors; pictures are uint8."""

    codes: Tensor
    pictures: Tensor
    inside: Tensor

    @classmethod
    def of(cls, found: CodePictures) -> Codes:
        """Return what a file holds."""
        pictures = torch.from_numpy(found.pictures).permute(0, 3, 1, 2)
        return cls(torch.from_numpy(found.codes), pictures, torch.from_numpy(found.inside)[:, None])

    def __len__(self) -> int:
        return len(self.codes)

    def batch(self, rows: Tensor | slice, beta: float, device: torch.device) -> Batch:
        """Return a batch of chosen rows."""
        inside = self.inside[rows].to(device).float() / 255
        return Batch(beta, self.codes[rows].to(device), to_network(self.pictures[rows].to(device)), inside)

    def split(self) -> tuple[Codes, Codes]:
        """Return those to learn from and those to judge by."""
        seen = seen_count(len(self))
        parts = (slice(0, seen), slice(seen, None))
        first, last = (Codes(self.codes[one], self.pictures[one], self.inside[one]) for one in parts)
        return first, last


def seen_count(count: int) -> int:
    """Return how many of a number of codes the mapper learns from."""
    return count - max(2, round(HELD_SHARE * count))


def config() -> MapperConfig:
    """Return the paper's sizes, with the beta that the training ends with."""
    sizes = MapperConfig.of_wplus(CONTINUOUS, [len(options) for options in ASSETS.values()])
    return replace(sizes, beta=float(BETAS))


def neutral_numbers() -> Tensor:
    """Return the continuous part (CONTINUOUS,) of the neutral vector; colours are in the middle."""
    return torch.tensor([*NEUTRAL.values()] + [0.5] * (CONTINUOUS - len(NEUTRAL)))


def begun(codes: Tensor, sizes: MapperConfig) -> AvatarMapper:
    """Return a mapper to train on codes (N, 18, 512).

    Codes of people differ little from their mean, so their mean and the deviation of each of the 18 are divided out:
    they are part of the first layer. The first vectors are about neutral.
    """
    net = AvatarMapper(sizes)
    mean = codes.mean(0)
    deviation = (codes - mean).square().mean((0, 2)).sqrt().clamp_min(LEAST_DEVIATION)
    with torch.no_grad():
        net.first.weight.div_(deviation[:, None, None])
        net.first.bias.sub_(torch.einsum("ki,kio->ko", mean, net.first.weight))
        for head in (net.continuous, net.discrete):
            cast("nn.Linear", head[-1]).weight *= FIRST_SHARE
        cast("nn.Linear", net.continuous[-1]).bias.copy_(torch.logit(neutral_numbers(), eps=0.05))
        cast("nn.Linear", net.discrete[-1]).bias.zero_()
    return net


def rows_of(net: AvatarMapper, codes: Tensor, beta: float) -> Tensor:
    """Return the relaxed vectors (B, LENGTH) of codes."""
    mapped = net.of_codes(codes)
    return torch.cat([mapped.continuous, net.probabilities(mapped.logits, beta)], 1)


def loss_of(net: AvatarMapper, batch: Batch, imitator: Imitator) -> Tensor:
    """Return the loss of a batch: pictures, mean colours, and the distance from neutral."""
    rows = rows_of(net, batch.codes, batch.beta)
    drawn, wanted = imitator(rows) * batch.inside, batch.pictures * batch.inside
    colours = functional.adaptive_avg_pool2d(drawn - wanted, CELLS).abs().mean()
    neutral = neutral_numbers().to(rows)[: len(NEUTRAL)]
    away = (rows[:, : len(NEUTRAL)] - neutral).square().mean()
    return picture_loss(drawn, wanted) + COLOURS * colours + NEUTRALITY * away


def batches(seen: Codes, recipe: Recipe, first: int, device: torch.device) -> Iterator[Batch]:
    """Yield batches from a step on. Each epoch has its own order."""
    per_epoch = max(1, len(seen) // recipe.batch)
    step = first
    while True:
        epoch, place = divmod(step, per_epoch)
        order = torch.randperm(len(seen), generator=torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch))
        rows = order[place * recipe.batch : (place + 1) * recipe.batch]
        yield seen.batch(rows, beta_at(step, recipe.steps), device)
        step += 1


class Figures(NamedTuple):
    """What judges a mapper. Values are mean absolute differences of pixels from 0 to 1, inside of the pictures."""

    own: float
    """Drawings from the pictures of their codes."""
    other: float
    """Drawings from the pictures of other codes: what a mapper reaches that does not look at the code."""

    def __str__(self) -> str:
        return f"L1 {self.own:.4f}, to pictures of other codes {self.other:.4f}"


def judged(net: AvatarMapper, imitator: Imitator, held: Codes, device: torch.device) -> Figures:
    """Judge a mapper, with the beta of its use, by codes that it has not seen."""
    drawn, wanted, inside = [], [], []
    with torch.no_grad():
        for start in range(0, len(held), RECIPE.batch):
            batch = held.batch(slice(start, start + RECIPE.batch), net.config.beta, device)
            drawn.append(imitator(rows_of(net, batch.codes, batch.beta)).clamp(-1, 1).cpu())
            wanted.append(batch.pictures.cpu())
            inside.append(batch.inside.cpu())
    pictures, targets, share = torch.cat(drawn), torch.cat(wanted), torch.cat(inside)

    def difference(targets: Tensor, share: Tensor) -> float:
        away = (pictures - targets).abs().mean(1, keepdim=True) / 2
        return float((share * away).sum() / share.sum().clamp_min(1))

    return Figures(difference(targets, share), difference(targets.roll(1, 0), share.roll(1, 0)))


def train(
    found: CodePictures, imitator: Imitator, recipe: Recipe, out: Path, sizes: MapperConfig | None = None
) -> Path:
    """Train a mapper and return its weight file. `sizes` are those of `config` unless given."""
    device = compute_device()
    seen, held = Codes.of(found).split()
    print(f"{len(seen)} codes, {len(held)} held out", flush=True)
    imitator = imitator.to(device)

    def evaluate(net: nn.Module) -> str:
        return str(judged(cast("AvatarMapper", net), imitator, held, device))

    trained = fit(
        begun(seen.codes, sizes or config()).to(device),
        recipe,
        out,
        batches=lambda first: batches(seen, recipe, first, device),
        loss_of=lambda net, batch: loss_of(net, batch, imitator),
        evaluate=evaluate,
    )
    file = out / f"{CODE_MAPPER}.safetensors"
    save_network(trained.cpu(), file, kind=KIND)
    return file


def steps_of(count: int, batch: int) -> int:
    """Return the steps of 20 epochs of a number of codes, those held out included."""
    return BETAS * max(1, seen_count(count) // batch)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("code-mapper", __doc__, "out")
    parser.add_argument("--codes", type=Path, required=True, help="Codes with pictures.", metavar="CODES.npz")
    parser.add_argument("--imitator", type=Path, required=True, help="Weight file of the imitator.", metavar="FILE")
    parser.add_argument("--steps", type=_count, help="Number of steps (default: 20 epochs).", metavar="N")
    parser.add_argument("--seed", type=int, default=RECIPE.seed, help="Seed of weights and batches.")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    imitator = Imitation(arguments.imitator).net
    found = load_code_pictures(arguments.codes, imitator.generator.side)
    steps = arguments.steps or steps_of(len(found), RECIPE.batch)
    torch.manual_seed(arguments.seed)
    file = train(found, imitator, replace(RECIPE, steps=steps, seed=arguments.seed), arguments.out)
    print(f"{file}: add it by `facepipe weights add {file}`", flush=True)


def _count(text: str) -> int:
    """Return the number of steps. Raises argparse's error unless it is above 0."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"is {text}, expected a whole number above 0")
    return int(text)


if __name__ == "__main__":
    main()
