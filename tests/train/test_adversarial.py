"""Adversarial pre-training of the imitator's generator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facepipe.models.imitator import CompactImitatorConfig, Imitator
from facepipe.models.stylegan2.discriminator import Discriminator
from facepipe.train.adversarial import (
    AdversarialNets,
    AdversarialRecipe,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    pretrain,
)

TINIEST = CompactImitatorConfig(hidden=(8,), style=8, widths=(8, 8), enlargement=2)
TINY_SIDE = 16


def test_penalty_of_a_linear_score_is_half_its_squared_weight() -> None:
    """R1 against its definition, with a gradient by the weights."""
    linear = nn.Linear(12, 1)
    penalty = gradient_penalty(nn.Sequential(nn.Flatten(), linear), torch.randn(5, 3, 2, 2))
    weight = linear.weight
    assert float(penalty.detach()) == pytest.approx(float(weight.detach().square().sum()) / 2, rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(slope, weight.detach())


def test_adversarial_losses_are_logarithms_of_probabilities() -> None:
    """-log D(real) - log(1 - D(drawn)), and -log D(drawn), where D is the sigmoid of a score."""
    real, fake = torch.randn(6, 1), torch.randn(6, 1)
    wanted = -torch.sigmoid(real).log().mean() - (1 - torch.sigmoid(fake)).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake), wanted)
    torch.testing.assert_close(generator_loss(fake), -torch.sigmoid(fake).log().mean())


def bright_pictures(first: int) -> Iterator[Tensor]:
    """Yield batches of even pictures; their brightness is uniform between 0.2 and 0.8."""
    generator = torch.Generator().manual_seed(first)
    while True:
        yield (0.2 + 0.6 * torch.rand(8, 1, 1, 1, generator=generator)).expand(8, 3, TINY_SIDE, TINY_SIDE)


def pretrained(out: Path, steps: int) -> AdversarialNets:
    torch.manual_seed(6)
    nets = AdversarialNets(Imitator(TINIEST).generator)
    recipe = AdversarialRecipe(batch=8, steps=steps, average=0.9, save_every=50)
    pretrain(nets, Discriminator(TINIEST.discriminator_widths), recipe, out, bright_pictures)
    return nets


@pytest.mark.slow
def test_the_generator_learns_a_distribution_without_vectors(tmp_path: Path) -> None:
    """Even pictures of the right mean brightness that differ as much as the real ones; a finished run is kept."""
    nets = pretrained(tmp_path, 200)
    with torch.no_grad():
        pictures = nets(torch.randn(64, TINIEST.style))
    assert float(pictures.mean()) == pytest.approx(0.5, abs=0.15)
    assert 0.06 < float(pictures.mean((1, 2, 3)).std()) < 0.35
    assert float(pictures.std((2, 3)).mean()) < 0.25
    state = torch.load(tmp_path / "generator.pt", weights_only=True)
    assert state["step"] == 200
    again = pretrained(tmp_path, 200)
    assert all(torch.equal(value, nets.state_dict()[name]) for name, value in again.state_dict().items())
    assert torch.equal(state["mean"]["module.generator.start"], again.generator.start)  # type: ignore[arg-type]
