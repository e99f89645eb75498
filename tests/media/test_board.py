"""Boards of pictures with captions."""

from __future__ import annotations

import numpy as np

from facepipe.media.board import GAP_PIXELS, MARGIN_PIXELS, PAPER, Entry, Tile, board


def plain(colour: tuple[int, int, int], side: int = 40) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


def test_tiles_fill_the_rows() -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    made = board([[Tile(plain(colour), "") for colour in colours[:2]], [Tile(plain(colours[2]), "")]], [], 640)
    inner = 640 - 2 * MARGIN_PIXELS
    side = (inner - GAP_PIXELS) // 2
    first = made[MARGIN_PIXELS : MARGIN_PIXELS + side]
    assert (first[:, MARGIN_PIXELS : MARGIN_PIXELS + side] == colours[0]).all()
    assert (first[:, 640 - MARGIN_PIXELS - side : 640 - MARGIN_PIXELS] == colours[1]).all()
    assert (first[:, MARGIN_PIXELS + side : 640 - MARGIN_PIXELS - side] == PAPER).all()
    assert (made == colours[2]).all(axis=2).sum() == inner * inner
    edge = [made[:MARGIN_PIXELS], made[:, :MARGIN_PIXELS], made[:, -MARGIN_PIXELS:]]
    assert all((part == PAPER).all() for part in edge)


def test_captions_and_lines() -> None:
    white = plain((255, 255, 255))
    assert (board([[Tile(white, "")]], [], 300) == 255).all()
    captioned = (board([[Tile(white, "yaw 35°")]], [], 300) != 255).any(axis=2)
    rows = np.flatnonzero(captioned.any(axis=1))
    assert rows.min() >= 300 - MARGIN_PIXELS
    columns = np.flatnonzero(captioned.any(axis=0))
    assert abs((columns.min() + columns.max()) / 2 - 150) < 4, "centred"
    told = board([[Tile(white, "")]], [[Entry("skin", "x", (200, 100, 50))]], 300)
    assert 300 < (told == (200, 100, 50)).all(axis=2).sum() < 700
    assert len(told) > len(captioned)
