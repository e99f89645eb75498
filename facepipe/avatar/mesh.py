"""Meshes of an avatar: parts with colours, and what moves them.

Coordinates are decimetres, as in MakeHuman's base mesh: x to the avatar's left (the viewer's right), y up, z towards
the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]
"""Of float32 or float64."""
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Morph:
    """Displacements of some vertices of a part; zero elsewhere."""

    vertices: Indices
    """(K,), indices of the vertices that move."""
    offsets: Floats
    """(K, 3), their displacements at weight 1, in decimetres."""


@dataclass(frozen=True)
class Material:
    """How a surface reflects light."""

    roughness: float = 0.8
    """0 (mirror) to 1 (matt)."""
    opacity: float = 1.0
    double_sided: bool = False


@dataclass(frozen=True)
class Part:
    """One part of an avatar: a mesh of one material that keeps its topology in every shape and expression."""

    name: str
    """One of PARTS."""
    vertices: Floats
    """(N, 3), decimetres, neutral expression."""
    triangles: Indices
    """(M, 3), counter-clockwise seen from outside."""
    colours: Floats
    """(N, 3), sRGB in [0, 1]."""
    texture_coordinates: Floats | None = None
    """(N, 2), u to the right and v up, both in [0, 1]."""
    material: Material = Material()
    morphs: dict[str, Morph] = field(default_factory=dict)
    """By ARKit name of a face unit: how this part follows it. Units that do not move the part are absent."""


PARTS = (
    "skin",
    "eye-left",
    "eye-right",
    "teeth-upper",
    "teeth-lower",
    "tongue",
    "lashes",
    "brows",
    "hair",
    "beard",
    "glasses",
    "hat",
    "earrings",
    "clothes",
)
"""Names of parts. The index of a name, plus 1, is the part's number in pictures of parts; 0 is the background."""
