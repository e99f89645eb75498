"""The top of heads that the portrait cuts off."""

from __future__ import annotations

import torch

from facepipe.renderers.bilayer.compact.closing import HEIGHT_RATIO, closing, reach_above

SIDE = 64


def matte(*, top: int = 0) -> torch.Tensor:
    """Return a matte of a head in the columns 16 to 47, from a row on."""
    made = torch.zeros(1, 1, SIDE, SIDE)
    made[:, :, top:, 16:48] = 1
    return made


def test_a_cut_head_is_closed_by_half_an_ellipse() -> None:
    reach, line = reach_above(matte())[0, 0, 0], torch.linspace(-1, 1, SIDE)
    radius = float(line[47])
    expected = [HEIGHT_RATIO * radius * max(0.0, 1 - (float(x) / radius) ** 2) ** 0.5 for x in line]
    torch.testing.assert_close(reach, torch.tensor(expected), atol=1e-3, rtol=0)
    assert reach_above(matte(top=8)).abs().max() < 1e-6
    assert reach_above(torch.zeros(1, 1, SIDE, SIDE)).abs().max() < 1e-6


def test_only_what_is_above_the_edge_is_closed() -> None:
    rows, columns = torch.linspace(-1.5, 1.5, 61), torch.linspace(-1, 1, SIDE)
    position = torch.stack([columns.expand(61, SIDE), rows[:, None].expand(61, SIDE)])[None]
    share = closing(matte(), position)[0, 0]
    assert (share[rows >= -1] == 1).all()
    middle = share[:, SIDE // 2]
    assert middle[(rows < -1) & (rows > -1.1)].min() == 1
    assert middle[rows < -1.2].max() == 0
    assert share[rows < -1.05][:, :12].max() == 0
