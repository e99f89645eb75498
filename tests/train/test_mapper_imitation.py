"""Self-supervision of the mapper by what the imitator draws."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facepipe.avatar.framing import PLAIN
from facepipe.models.avatar_mapper import PARTS
from facepipe.models.imitator import CompactImitatorConfig, ImitatorConfig, config_of
from facepipe.train.mapper_imitation import imitation_loss

SIDE = 128


class Painter(nn.Module):
    """Draws a square head: rows (B, 5) are its half width, hair lightness, and the colour of its skin."""

    def forward(self, rows: Tensor) -> Tensor:
        place = torch.linspace(-1, 1, SIDE)
        inside = torch.sigmoid(40 * (rows[:, :1] - place.abs()))[:, None, None, :] * (place.abs() < 0.7)[:, None]
        hair = (place < -0.3).float()[:, None]
        skin = rows[:, 2:5, None, None]
        colour = hair * rows[:, 1:2, None, None] + (1 - hair) * skin
        return 2 * (inside * colour + (1 - inside) * torch.tensor(PLAIN).view(1, 3, 1, 1)) - 1


def portrait(row: Tensor) -> tuple[Tensor, Tensor]:
    """The mapper's input for a painted portrait in front of a red wall, and its logits of parts."""
    drawn = (Painter()(row) + 1) / 2
    matte = ((drawn - torch.tensor(PLAIN).view(1, 3, 1, 1)).abs().sum(1, keepdim=True) > 0.3).float()
    wall = torch.tensor([0.9, 0.1, 0.1]).view(1, 3, 1, 1)
    wide = torch.cat([matte * drawn + (1 - matte) * wall, matte, torch.ones_like(matte)], 1)
    logits = torch.zeros(1, len(PARTS), SIDE // 2, SIDE // 2)
    logits[:, PARTS.index("hair"), : round(0.35 * SIDE / 2)] = 20
    return 2 * wide - 1, logits


TRUE = torch.tensor([[0.5, 0.1, 0.7, 0.5, 0.4]])


def loss(row: Tensor) -> Tensor:
    return imitation_loss(Painter(), row, *portrait(TRUE))  # type: ignore[arg-type]


def test_a_vector_that_draws_the_portrait_has_hardly_a_loss() -> None:
    # The soft edge of the painter is not in the matte.
    assert loss(TRUE) < 0.03


def test_outlines_hair_and_skin_count_and_the_wall_does_not() -> None:
    best = float(loss(TRUE))
    for place, value in ((0, 0.7), (0, 0.3), (1, 0.6), (2, 0.2)):
        other = TRUE.clone()
        other[0, place] = value
        assert float(loss(other)) > best + 0.02


def test_gradients_lead_back() -> None:
    row = TRUE.clone()
    row[0, 0], row[0, 2] = 0.6, 0.4
    row.requires_grad_()
    loss(row).backward()  # type: ignore[no-untyped-call]
    assert row.grad is not None
    assert row.grad[0, 0] > 0  # narrower
    assert row.grad[0, 2] < 0  # redder


def test_a_file_says_which_imitator_it_holds() -> None:
    assert isinstance(config_of(length=9, enlargement=2), CompactImitatorConfig)
    assert isinstance(config_of(length=9, style=512), ImitatorConfig)
