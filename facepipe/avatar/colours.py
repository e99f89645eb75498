"""Colours of avatars: palettes of two coordinates, lightness and tone, with named swatches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facepipe.avatar.mesh import Floats

Colour = tuple[float, float]
"""Lightness (0 dark to 1 light) and tone in a palette, both in [0, 1]."""


@dataclass(frozen=True)
class Palette:
    """A continuous surface of colours."""

    name: str
    about: str
    grid: tuple[tuple[str, ...], ...]
    """sRGB colours "rrggbb": rows from dark to light, columns by tone; between them colours are mixed bilinearly."""
    swatches: Mapping[str, Colour]
    neutral: Colour

    def colour(self, place: Colour) -> Floats:
        """Return the sRGB colour (3,) in [0, 1] at a place."""
        table = np.array([[_rgb(code) for code in row] for row in self.grid])
        row, rows = _place(place[0], table.shape[0])
        column, columns = _place(place[1], table.shape[1])
        near = table[row : row + 2, column : column + 2]
        weights = np.outer([1 - rows, rows], [1 - columns, columns])[: near.shape[0], : near.shape[1]]
        mixed: Floats = np.einsum("rc,rcx->x", weights, near).astype(np.float32)
        return mixed


def _rgb(code: str) -> list[float]:
    return [int(code[start : start + 2], 16) / 255 for start in (0, 2, 4)]


def _place(share: float, count: int) -> tuple[int, float]:
    """Return the cell of a line of `count` nodes in which a share in [0, 1] lies, and the share of the way through."""
    where = min(max(share, 0.0), 1.0) * (count - 1)
    cell = min(int(where), max(count - 2, 0))
    return cell, where - cell


def _swatches(names: tuple[tuple[str, ...], ...]) -> dict[str, Colour]:
    """Return the places of the nodes of a grid by their names; empty names are left out."""
    rows, columns = len(names), len(names[0])
    return {
        name: (row / (rows - 1), column / (columns - 1) if columns > 1 else 0.5)
        for row, line in enumerate(names)
        for column, name in enumerate(line)
        if name
    }


PALETTES: Mapping[str, Palette] = {
    palette.name: palette
    for palette in (
        Palette(
            "skin",
            "skin, from cool and pink to warm and golden",
            (
                ("392826", "412a1f", "46301c"),
                ("644640", "704832", "76502c"),
                ("926b5e", "a06e4b", "a87742"),
                ("c09483", "cd966d", "d3a063"),
                ("e1bbaa", "ebbd97", "eec48c"),
                ("f4dad0", "fadbc0", "fbe1b6"),
            ),
            _swatches(
                (
                    ("ebony", "espresso", "walnut"),
                    ("mahogany", "chestnut", "bronze"),
                    ("sienna", "brown", "caramel"),
                    ("rose", "tan", "honey"),
                    ("pink", "beige", "sand"),
                    ("porcelain", "fair", "ivory"),
                )
            ),
            (0.8, 0.5),
        ),
        Palette(
            "hair",
            "hair, beard and brows, from ash to red",
            (
                ("09090c", "0a0807", "0d0706"),
                ("35302e", "3b2718", "4a2012"),
                ("6a625c", "6f4a2b", "8a3b1a"),
                ("a39a90", "b08a52", "c8622c"),
                ("d4d2cf", "dcc08a", "e89a5c"),
                ("f4f3f1", "f6e8c8", "fad2a8"),
            ),
            _swatches(
                (
                    ("blue-black", "black", "warm-black"),
                    ("ash-brown", "dark-brown", "dark-auburn"),
                    ("dark-grey", "brown", "auburn"),
                    ("grey", "dark-blond", "red"),
                    ("silver", "blond", "ginger"),
                    ("white", "platinum", "strawberry"),
                )
            ),
            (0.25, 0.5),
        ),
        Palette(
            "eyes",
            "irises, from grey over blue and green to brown",
            (
                ("3c4650", "1c3f66", "1f5148", "3a2413", "2a170c"),
                ("66737e", "2f6da3", "3d7f5c", "6b4a21", "55301a"),
                ("9aa7b0", "6aa5d2", "7fb07c", "a27c3e", "8a5527"),
            ),
            _swatches(
                (
                    ("slate", "navy", "pine", "dark-hazel", "black-brown"),
                    ("grey", "blue", "green", "hazel", "brown"),
                    ("silver", "sky", "light-green", "amber", "light-brown"),
                )
            ),
            (0.5, 1.0),
        ),
        Palette(
            "lips",
            "tint over the natural colour of the lips, from brown to pink",
            (("7a3f36", "8c2f3c", "8f2550"), ("b96a5c", "c65560", "c94a7a"), ("d99a8a", "e08a8c", "ea86a8")),
            _swatches((("cocoa", "wine", "plum"), ("nude", "rose", "pink"), ("peach", "coral", "candy"))),
            (0.6, 0.3),
        ),
        Palette(
            "clothes",
            "clothes, through the colours of the rainbow",
            (
                ("26282d", "5a1f24", "5f3a16", "24452b", "1c3a4f", "2b2f5e", "4a2350"),
                ("74797f", "c2474b", "d98a3d", "4f9160", "3f8fb0", "5563b8", "9a55a5"),
                ("eef0f2", "f3b6b3", "f6dca4", "b9ddb9", "b3dcea", "c2c9f0", "e0c0e6"),
            ),
            _swatches(
                (
                    ("black", "burgundy", "rust", "forest", "petrol", "midnight", "aubergine"),
                    ("grey", "scarlet", "orange", "leaf", "teal", "indigo", "violet"),
                    ("white", "blush", "butter", "mint", "ice", "lavender", "lilac"),
                )
            ),
            (0.5, 5 / 6),
        ),
    )
}
