"""Earrings: one on each ear lobe."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.assets.asset import Asset, nothing
from facepipe.avatar.assets.surface import Surface, attach, ball, draft, join, merge, part_of, ring, tube
from facepipe.avatar.mesh import Floats, Indices, Material, Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Template

if TYPE_CHECKING:
    from facepipe.avatar.vector import AvatarVector

Numbers = NDArray[np.floating[Any]]
Mesh = tuple[Numbers, Indices]
GOLD: Floats = np.array([0.93, 0.74, 0.36], np.float32)
PEARL: Floats = np.array([0.95, 0.93, 0.9], np.float32)
METAL = Material(roughness=0.25)
OUTWARDS = 0.045
"""Decimetres from the lobe to the middle of a stud, away from the head."""


def _stud(lobe: Numbers, side: int, radius: float = 0.06) -> Mesh:
    return ball(lobe + np.array([side * OUTWARDS, 0.04, 0.0]), np.full(3, radius), rows=9, columns=12)


def _hoop(lobe: Numbers, side: int) -> Mesh:
    radius, angle = 0.17, np.linspace(0, 2 * np.pi, 28, endpoint=False)
    centre = lobe + np.array([side * 0.04, 0.06 - radius, 0.0])
    path = centre + radius * np.stack([0.25 * side * (1 - np.cos(angle)) / 2, np.cos(angle), np.sin(angle)], axis=1)
    return ring(path, 0.016)


def _drop(lobe: Numbers, side: int) -> Mesh:
    wire = (
        lobe
        + np.array([side * OUTWARDS, 0.04, 0.0])
        + np.linspace(0, 1, 6)[:, None] * np.array([side * 0.02, -0.24, 0])
    )
    stone = ball(wire[-1] - np.array([0, 0.07, 0]), np.array([0.055, 0.09, 0.055]), rows=10, columns=12)
    return join(_stud(lobe, side, 0.03), tube(wire, np.full(6, 0.01), sides=6), stone)


def _bar(lobe: Numbers, side: int) -> Mesh:
    path = (
        lobe
        + np.array([side * OUTWARDS, 0.05, 0.0])
        + np.linspace(0, 1, 6)[:, None] * np.array([side * 0.03, -0.34, 0])
    )
    return tube(path, np.full(6, 0.022), sides=8)


DESIGNS: dict[str, tuple[Callable[[Numbers, int], Mesh], Floats]] = {
    "stud": (_stud, GOLD),
    "hoop": (_hoop, GOLD),
    "drop": (_drop, GOLD),
    "pearl": (partial(_stud, radius=0.085), PEARL),
    "bar": (_bar, GOLD),
}


@lru_cache(maxsize=16)
def earring_surface(template: Template, name: str) -> Surface:
    """Return both earrings of a design on a template."""
    pieces = []
    for side, ear in ((1, "left"), (-1, "right")):
        lobe = template.vertices[template.landmarks[f"ear-lobe-{ear}"]].astype(np.float64)
        vertices, triangles = DESIGNS[name][0](lobe, side)
        pieces.append(draft(vertices, triangles, anchors=lobe, clearance=0.0))
    return attach(template, merge(pieces))


def _build(name: str, head: ShapedHead, _vector: AvatarVector) -> tuple[Part, ...]:
    surface = earring_surface(head.template, name)
    return (part_of("earrings", head, surface, DESIGNS[name][1], material=METAL, still=True),)


def _builder(name: str) -> Callable[[ShapedHead, AvatarVector], tuple[Part, ...]]:
    return partial(_build, name)


EARRINGS = (Asset("earrings", "none", nothing), *(Asset("earrings", name, _builder(name)) for name in DESIGNS))
