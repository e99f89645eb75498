"""Unconditional pre-training of the imitator's generator against a discriminator (StyleGAN2, arXiv 1912.04958).

Non-saturating loss, and R1 at every 16th step of the discriminator. There is no noise and no path length penalty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from facepipe.models.imitator import CompactGenerator
from facepipe.models.stylegan2.discriminator import Discriminator
from facepipe.models.stylegan2.generator import Generator, MappingNetwork
from facepipe.train.loop import averaging_with, save_checkpoint

CHECKPOINT = "generator.pt"
COMPACT_MAPPING_LAYERS = 4


@dataclass(frozen=True)
class AdversarialRecipe:
    """Hyperparameters of the pre-training."""

    batch: int
    steps: int
    rate: float = 2e-3
    betas: tuple[float, float] = (0.0, 0.99)
    penalty: float = 10.0
    """Weight of R1."""
    penalty_every: int = 16
    average: float = 0.998
    seed: int = 1
    save_every: int = 500


class AdversarialNets(nn.Module):
    """A generator with the mapping network that gives it one style for all layers."""

    def __init__(self, generator: Generator | CompactGenerator) -> None:
        super().__init__()
        self.generator = generator
        self.mapping: MappingNetwork = (
            MappingNetwork(generator.style_width, COMPACT_MAPPING_LAYERS)
            if isinstance(generator, CompactGenerator)
            else generator.style
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (B, style) to pictures (B, 3, S, S)."""
        return self.generator.draw(self.mapping(latents)[:, None].expand(-1, self.generator.styles, -1))


def discriminator_loss(scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return the logistic loss of scores (B, 1) of real and drawn pictures."""
    return functional.softplus(-scores).mean() + functional.softplus(fake_scores).mean()


def generator_loss(fake_scores: Tensor) -> Tensor:
    """Return the non-saturating loss of scores (B, 1) of drawn pictures."""
    return functional.softplus(-fake_scores).mean()


def gradient_penalty(discriminator: nn.Module, pictures: Tensor) -> Tensor:
    """Return R1: half the squared gradient of the score by a real picture, as a mean over pictures (B, 3, S, S)."""
    pictures = pictures.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean() / 2


def pretrain(
    nets: AdversarialNets,
    discriminator: Discriminator,
    recipe: AdversarialRecipe,
    out: Path,
    pictures: Callable[[int], Iterator[Tensor]],
) -> None:
    """Train `nets`, and leave the averaged weights in it. Resumes from OUT/generator.pt.

    `pictures(first_step)` returns endless batches of real pictures (B, 3, S, S) in [-1, 1] from that step on.
    """
    out.mkdir(parents=True, exist_ok=True)
    average = AveragedModel(nets, avg_fn=averaging_with(recipe.average), use_buffers=True)
    drawing, judging = (
        torch.optim.Adam(net.parameters(), lr=recipe.rate, betas=recipe.betas) for net in (nets, discriminator)
    )
    parts: dict[str, Any] = {
        "net": nets, "mean": average, "discriminator": discriminator, "drawing": drawing, "judging": judging
    }  # fmt: skip
    first = _resumed(parts, out / CHECKPOINT)
    torch.manual_seed(recipe.seed * 1_000_003 + first)
    stream = iter(pictures(first))
    for step in range(first, recipe.steps):
        losses = _step(nets, discriminator, (drawing, judging), recipe, next(stream), step)
        average.update_parameters(nets)
        if (step + 1) % recipe.save_every == 0 or step + 1 == recipe.steps:
            print(f"adversarial step {step + 1}: discriminator {losses[0]:.3f} generator {losses[1]:.3f}", flush=True)
            state = {name: part.state_dict() for name, part in parts.items()}
            save_checkpoint(out / CHECKPOINT, state | {"step": step + 1})
    nets.load_state_dict(average.module.state_dict())


def _step(
    nets: AdversarialNets,
    discriminator: Discriminator,
    optimisers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    recipe: AdversarialRecipe,
    real: Tensor,
    step: int,
) -> tuple[float, float]:
    """Update the discriminator, then the generator; return their losses."""
    drawing, judging = optimisers
    latents = torch.randn(2, len(real), nets.generator.style_width, device=real.device)
    with torch.no_grad():
        fake = nets(latents[0])
    loss = discriminator_loss(discriminator(real), discriminator(fake))
    total = loss
    if step % recipe.penalty_every == 0:
        total = loss + recipe.penalty * recipe.penalty_every * gradient_penalty(discriminator, real)
    _update(judging, total)
    drawn = generator_loss(discriminator(nets(latents[1])))
    _update(drawing, drawn)
    return float(loss.detach()), float(drawn.detach())


def _update(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _resumed(parts: dict[str, Any], path: Path) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])
