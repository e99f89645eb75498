"""What the encoders of sound aim at."""

from __future__ import annotations

import torch

from facepipe.train.encoders import Aim

AIM = Aim(torch.eye(3)[:, :2], torch.full((3,), 1 / 3), torch.ones(3))
EVERY = torch.ones(2, 40, dtype=torch.bool)


def motions() -> torch.Tensor:
    return torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(4))


def test_the_truth_costs_nothing_and_frames_that_do_not_count_neither() -> None:
    true = motions()
    torch.testing.assert_close(AIM.loss(true, true, EVERY), torch.tensor(0.0), atol=2e-3, rtol=0)
    there = EVERY.clone()
    there[:, 30:] = False
    spoiled = torch.cat([true[:, :30], true[:, 30:] + 9], 1)
    torch.testing.assert_close(AIM.loss(spoiled, true, there), AIM.loss(true, true, there))
    assert AIM.loss(spoiled, true, EVERY) > 1


def test_of_two_mouths_as_far_off_the_one_that_rises_and_falls_with_the_truth_costs_less() -> None:
    true = motions()
    error = torch.zeros_like(true)
    # Twice the opening, or as much added that has nothing to do with it.
    error[..., 0] = true[..., 0]
    stranger = error.flip(1)
    assert AIM.loss(true + error, true, EVERY) < AIM.loss(true + stranger, true, EVERY) - 0.5
