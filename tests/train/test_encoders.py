"""The objective of the sound encoders."""

from __future__ import annotations

import torch

from facepipe.train.encoders import Objective

OBJECTIVE = Objective(torch.eye(3)[:, :2], torch.full((3,), 1 / 3), torch.ones(3))
EVERY = torch.ones(2, 40, dtype=torch.bool)


def motions() -> torch.Tensor:
    return torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(4))


def test_the_loss_is_zero_at_the_truth_and_ignores_masked_frames() -> None:
    true = motions()
    torch.testing.assert_close(OBJECTIVE.loss(true, true, EVERY), torch.tensor(0.0), atol=2e-3, rtol=0)
    there = EVERY.clone()
    there[:, 30:] = False
    spoiled = torch.cat([true[:, :30], true[:, 30:] + 9], 1)
    torch.testing.assert_close(OBJECTIVE.loss(spoiled, true, there), OBJECTIVE.loss(true, true, there))
    assert OBJECTIVE.loss(spoiled, true, EVERY) > 1


def test_of_two_equal_errors_the_correlated_one_costs_less() -> None:
    true = motions()
    error = torch.zeros_like(true)
    # Twice the opening, or an uncorrelated error of the same size.
    error[..., 0] = true[..., 0]
    uncorrelated = error.flip(1)
    assert OBJECTIVE.loss(true + error, true, EVERY) < OBJECTIVE.loss(true + uncorrelated, true, EVERY) - 0.5
