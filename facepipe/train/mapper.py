"""Training of the mapper: supervised on drawings of the engine, and by labels on portraits.

    facepipe train mapper --pictures PICTURES --check CHECK --portraits seen.npz --labels LABELS.tsv --out RUN
    facepipe train mapper ... --imitator IMITATOR.safetensors --steps MORE

PICTURES and CHECK hold avatars (`facepipe train avatar-pictures`), portraits are observed by
`facepipe train observed-portraits`, and LABELS say what people see in them. Drawings are randomised: other light,
backgrounds, frames, mattes, blur and noise. As in the paper, the softmax of the choices has a factor beta that grows by
1 in each twentieth of the training. With an imitator, portraits also supervise themselves: what it draws of their
vector is compared with them. A run with RUN/checkpoint.pt resumes from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.layout import SPANS
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import CONTINUOUS
from facepipe.creation.imitation import Imitator as Imitation
from facepipe.face.mirror import mirror_permutation
from facepipe.models.avatar_mapper import PARTS, AvatarMapper, Mapped, MapperConfig
from facepipe.models.imitator import Imitator
from facepipe.train.command import parser_of
from facepipe.train.loop import Recipe, fit
from facepipe.train.mapper_augment import Batch, augmented, plain_batch
from facepipe.train.mapper_cache import Samples, avatar_samples, labels_of, portrait_samples, shards
from facepipe.train.mapper_imitation import imitation_loss
from facepipe.train.mapper_labels import BEARDS, GENDER, HAIR_LENGTHS, Labels, validates
from facepipe.train.mapper_labels import labels_of as sets_of_files
from facepipe.train.observed_portraits import load

RECIPE = Recipe(batch=32, steps=6000, peak_rate=1.2e-3, warm_up=200, average=0.998, evaluate_every=250)
PORTRAITS = 12
"""Portraits in a batch, beside the drawings."""
BETAS = 20
STRONG = 0.55
"""Share of drawings and portraits whose colours are changed."""
CLEAN = 0.4
"""Share of drawings that are left as they are."""
SMOOTHING = 0.02
IMITATION = 2.0
"""Weight of the self-supervision."""
REFRESH_STEPS = 300
"""Steps after which further shards are read."""
COLOURS = slice(len(NEUTRAL), CONTINUOUS)


@dataclass(frozen=True)
class Step:
    """One batch of the training."""

    beta: float
    drawings: Batch
    numbers: Tensor
    choices: Tensor
    portraits: Batch
    labels: Labels


def config() -> MapperConfig:
    """Return the embedded mapper's sizes, with the beta that its training ends with."""
    return MapperConfig(CONTINUOUS, tuple(len(options) for options in ASSETS.values()), beta=float(BETAS))


def beta_at(step: int, steps: int) -> float:
    """Return the factor of the softmax: 1 at first, 1 more in each of BETAS parts of the training."""
    return 1.0 + min(BETAS - 1, BETAS * step // max(steps, 1))


def loss_of(net: nn.Module, batch: Step, imitator: Imitator | None = None) -> Tensor:
    """Return the loss of a step; drawings and portraits pass the network together."""
    mapper = cast("AvatarMapper", net)
    names = ("wide", "close", "points")
    both = [torch.cat([getattr(batch.drawings, name), getattr(batch.portraits, name)]) for name in names]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mapped: Mapped = mapper(*both)
    count = len(batch.numbers)
    assert mapped.parts is not None
    assert mapped.drawn is not None
    continuous, logits = mapped.continuous.float(), batch.beta * mapped.logits.float()
    loss = _number_loss(continuous[:count], batch) + _choice_loss(logits[:count], batch.choices)
    weights = torch.tensor([0.5, 1.0, 1, 2, 3, 3, 2, 4, 1])
    loss = loss + 0.5 * functional.cross_entropy(mapped.parts[:count].float(), batch.drawings.parts, weights)
    loss = loss + 0.6 * _label_loss(logits[count:], continuous[count:], batch.labels)
    if imitator is not None:
        shares = mapper.probabilities(mapped.logits[count:].float(), batch.beta)
        rows = torch.cat([continuous[count:], shares], 1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss + IMITATION * imitation_loss(imitator, rows, batch.portraits.wide, mapped.parts[count:])
    is_drawn = (torch.arange(len(continuous)) < count).float()
    return loss + 0.1 * functional.binary_cross_entropy_with_logits(mapped.drawn.float(), is_drawn)


def _number_loss(found: Tensor, batch: Step) -> Tensor:
    """Colours count only where the picture has them."""
    error = (found - batch.numbers).abs()
    sliders, colours = error[:, : COLOURS.start].mean(), error[:, COLOURS].mean(1)
    plain = batch.drawings.plain.float()
    return 20 * sliders + 8 * (plain * colours).sum() / plain.sum().clamp_min(1)


def _choice_loss(logits: Tensor, choices: Tensor) -> Tensor:
    total = torch.zeros(())
    for number, span in enumerate(SPANS.values()):
        part = logits[:, span.start - CONTINUOUS : span.stop - CONTINUOUS]
        total = total + functional.cross_entropy(part, choices[:, number], label_smoothing=SMOOTHING)
    return 0.5 * total


def _label_loss(logits: Tensor, continuous: Tensor, labels: Labels) -> Tensor:
    """The probability of the options of a set shall be 1."""
    parts = [logits[:, span.start - CONTINUOUS : span.stop - CONTINUOUS].softmax(1) for span in SPANS.values()]
    inside = torch.einsum("bo,bso->bs", torch.cat(parts, 1), labels.sets)
    right = -(labels.weights * torch.log(0.98 * inside + 0.01)).sum(1).mean()
    known = torch.isfinite(labels.gender)
    error = (continuous[:, GENDER] - torch.nan_to_num(labels.gender)).abs() * known
    return right + 2 * error.mean()


class Source:
    """The samples of a training."""

    def __init__(self, pictures: Path, cache: Path, portraits: Path, labels: list[Path]) -> None:
        self.pictures, self.cache = pictures, cache
        self.seen: dict[Path, Samples] = {}
        observed = load(portraits)
        sets, rows = sets_of_files(observed.files, labels_of(labels))
        samples = portrait_samples(tuple(observed.observations[row] for row in rows))
        held = torch.tensor([validates(observed.identities[row]) for row in rows])
        self.portraits, self.labels = samples.rows(~held), sets.rows(~held)
        self.held, self.held_labels = samples.rows(held), sets.rows(held)
        self.held_looks = [labels_of(labels)[observed.files[row]] for row, out in zip(rows, held, strict=True) if out]
        points = np.stack([one.neutral for one in observed.observations]).mean(0)
        self.mirror = torch.from_numpy(mirror_permutation(points[None].astype(np.float32)))
        print(f"{len(self.portraits)} portraits, {len(self.held)} held out", flush=True)

    def refresh(self) -> None:
        """Read shards that have been written since."""
        for path in shards(self.pictures):
            if path not in self.seen:
                self.seen[path] = avatar_samples(path, self.cache)
        print(f"{sum(map(len, self.seen.values()))} avatars", flush=True)

    def drawings(self, count: int, random: torch.Generator) -> Samples:
        """Return random drawings."""
        groups = list(self.seen.values())
        sizes = torch.tensor([len(one) for one in groups])
        at = torch.randint(int(sizes.sum()), (count,), generator=random)
        ends = sizes.cumsum(0)
        which = torch.searchsorted(ends, at, right=True)
        rows = at - (ends - sizes)[which]
        picked = [groups[int(one)].rows(rows[k : k + 1]) for k, one in enumerate(which)]
        return Samples(*(torch.cat([getattr(one, name) for one in picked]) for name in Samples.__dataclass_fields__))

    def steps(self, first: int, recipe: Recipe) -> Iterator[Step]:
        """Yield batches from a step on."""
        random = torch.Generator().manual_seed(recipe.seed * 1_000_003 + first)
        step = first
        while True:
            if step == first or step % REFRESH_STEPS == 0:
                self.refresh()
            drawn = self.drawings(recipe.batch, random)
            rows = torch.multinomial(self.labels.rate, PORTRAITS, generator=random)
            yield Step(
                beta_at(step, recipe.steps),
                augmented(drawn, random, self.mirror, strong=STRONG, clean=CLEAN),
                drawn.numbers,
                drawn.choices,
                augmented(self.portraits.rows(rows), random, self.mirror, strong=STRONG),
                self.labels.rows(rows),
            )
            step += 1


def judged(net: AvatarMapper, samples: Samples) -> Mapped:
    """Return what a network says of samples as they are."""
    found = []
    for start in range(0, len(samples), 50):
        batch = plain_batch(samples.rows(torch.arange(start, min(start + 50, len(samples)))))
        found.append(net(batch.wide, batch.close, batch.points))
    return Mapped(*(torch.cat([one[place] for one in found]) for place in range(4)))


def drawing_figures(net: AvatarMapper, samples: Samples) -> str:
    """Return accuracy by type and errors on drawings."""
    mapped = judged(net, samples)
    error = (mapped.continuous - samples.numbers).abs().mean(0)
    right = []
    for number, (name, span) in enumerate(SPANS.items()):
        best = mapped.logits[:, span.start - CONTINUOUS : span.stop - CONTINUOUS].argmax(1)
        right.append((name, (best == samples.choices[:, number]).float()))
    every = torch.stack([hit for _, hit in right]).prod(0).mean()
    text = " ".join(f"{name} {hit.mean():.3f}" for name, hit in right)
    assert mapped.parts is not None
    classes = mapped.parts.argmax(1)
    hair = PARTS.index("hair")
    truth = plain_batch(samples).parts
    overlap = ((classes == hair) & (truth == hair)).sum() / ((classes == hair) | (truth == hair)).sum()
    return (
        f"{text} all {every:.3f} sliders {error[: COLOURS.start].mean():.4f} colours {error[COLOURS].mean():.4f} "
        f"hair IoU {overlap:.3f}"
    )


def portrait_figures(net: AvatarMapper, samples: Samples, looks: list[dict[str, str]]) -> str:
    """Return how often a network agrees with the labels of portraits."""
    mapped = judged(net, samples)
    chosen = {}
    for name, span in SPANS.items():
        best = mapped.logits[:, span.start - CONTINUOUS : span.stop - CONTINUOUS].argmax(1)
        chosen[name] = [list(ASSETS[name])[int(one)] for one in best]
    count = len(looks)
    glasses = sum((a == "none") == (b["glasses"] == "none") for a, b in zip(chosen["glasses"], looks, strict=True))
    beard = sum((a == "none") == (b["beard"] == "none") for a, b in zip(chosen["beard"], looks, strict=True))
    kind = sum(a in BEARDS[b["beard"]] for a, b in zip(chosen["beard"], looks, strict=True))
    known = [(a, b) for a, b in zip(chosen["hair"], looks, strict=True) if b["hair_length"]]
    length = sum(a in HAIR_LENGTHS[b["hair_length"]] for a, b in known)
    option = sum(a in (b["hair_option"], b["hair_second"]) for a, b in known)
    hats = sum((a == "none") == (b["hat"] in ("none", "other")) for a, b in zip(chosen["hat"], looks, strict=True))
    return (
        f"glasses {glasses / count:.3f} beard {beard / count:.3f} kind {kind / count:.3f} hair length "
        f"{length / len(known):.3f} option {option / len(known):.3f} hat {hats / count:.3f}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("mapper", __doc__, "cache", "out")
    parser.add_argument("--pictures", type=Path, required=True, help="Folder of avatar-pictures.", metavar="PATH")
    parser.add_argument("--check", type=Path, required=True, help="Shard that judges the mapper.", metavar="PATH")
    parser.add_argument("--portraits", type=Path, required=True, help="Observed portraits.", metavar="PATH")
    parser.add_argument("--labels", type=Path, nargs="+", required=True, help="Labels of portraits.", metavar="PATH")
    parser.add_argument("--imitator", type=Path, help="Imitator for the self-supervision.", metavar="PATH")
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="Number of steps.", metavar="N")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    torch.manual_seed(RECIPE.seed)
    recipe = Recipe(**{**RECIPE.__dict__, "steps": arguments.steps})
    source = Source(arguments.pictures, arguments.cache / "drawings", arguments.portraits, arguments.labels)
    imitator = None
    if arguments.imitator:
        imitator = Imitation(arguments.imitator).net.requires_grad_(requires_grad=False)
    check = avatar_samples(arguments.check, arguments.cache / "check")

    def evaluate(net: nn.Module) -> str:
        mapper = cast("AvatarMapper", net)
        return (
            f"drawings {drawing_figures(mapper, check)} | "
            f"portraits {portrait_figures(mapper, source.held, source.held_looks)}"
        )

    fit(
        AvatarMapper(config()),
        recipe,
        arguments.out,
        batches=lambda first: source.steps(first, recipe),
        loss_of=lambda net, batch: loss_of(net, batch, imitator),
        evaluate=evaluate,
    )


if __name__ == "__main__":
    main()
