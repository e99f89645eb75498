"""Surfaces: how the parts of an avatar scatter, shine and glint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import PARTS, Part


@dataclass(frozen=True)
class Surface:
    """Reflection of a part beside what its material says."""

    scatter: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """How far red, green and blue light reach around the terminator: 0 (Lambert) to 1 (half Lambert). Light that
    travels through skin comes out red, so red reaches farthest."""
    specular: float = 1.0
    """Strength of reflected lights; 1 is that of skin, glass and plastic."""
    sheen: float = 0.0
    """Strength of the highlight across strands that run down from the crown; it has the colour of the strands."""
    glint: float = 0.0
    """Strength of the reflected windows on a moist ball."""
    rim: float = 1.0
    """Strength of light from behind."""


_STRANDS = Surface((0.6, 0.55, 0.5), specular=0.25, sheen=1.3, rim=1.0)
_SURFACES = {
    "skin": Surface((0.85, 0.55, 0.45), specular=0.8),
    "eye-left": Surface((0.7, 0.7, 0.7), glint=0.5, rim=0.0),
    "eye-right": Surface((0.7, 0.7, 0.7), glint=0.5, rim=0.0),
    "teeth-upper": Surface((0.8, 0.75, 0.7), rim=0.0),
    "teeth-lower": Surface((0.8, 0.75, 0.7), rim=0.0),
    "tongue": Surface((0.85, 0.5, 0.5), rim=0.0),
    "lashes": Surface(specular=0.0, rim=0.0),
    "brows": Surface((0.6, 0.55, 0.5), specular=0.15, sheen=0.4, rim=0.2),
    "hair": _STRANDS,
    "beard": Surface((0.6, 0.55, 0.5), specular=0.15, sheen=0.6, rim=0.6),
    "clothes": Surface(specular=0.4),
}

_FIELDS = (
    "red_scatter",
    "green_scatter",
    "blue_scatter",
    "red_scale",
    "green_scale",
    "blue_scale",
    "alpha",
    "specular",
    "sheen",
    "glint",
    "rim",
    "opacity",
)
TABLE = np.dtype([*((name, np.float64) for name in _FIELDS), ("number", np.uint8)])
"""One row per part, as a compiled loop reads it. `alpha` is the squared roughness; the scales are 1 / (1 + scatter)."""


def surface_table(parts: Sequence[Part]) -> NDArray[np.void]:
    """Return the (P,) rows of TABLE of some parts."""
    table = np.zeros(len(parts), TABLE)
    for row, part in zip(table, parts, strict=True):
        surface, material = _SURFACES.get(part.name, Surface()), part.material
        row["red_scatter"], row["green_scatter"], row["blue_scatter"] = surface.scatter
        row["red_scale"], row["green_scale"], row["blue_scale"] = (1 / (1 + reach) for reach in surface.scatter)
        row["alpha"] = max(material.roughness, 0.08) ** 2
        row["specular"], row["sheen"], row["glint"] = surface.specular, surface.sheen, surface.glint
        row["rim"], row["opacity"] = surface.rim, min(max(material.opacity, 0.0), 1.0)
        row["number"] = PARTS.index(part.name) + 1
    return table
