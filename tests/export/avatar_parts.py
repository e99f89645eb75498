"""A small avatar for tests: spheres and a plate, with morphs, colours and every kind of material."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from facepipe.avatar.mesh import Floats, Indices, Material, Morph, Part
from facepipe.avatar.units import UNITS
from facepipe.export.rigging import RiggedPart
from facepipe.export.take import Take

POINTS = {
    "neck": np.array([0.0, 6.0, -0.2]),
    "eye-left": np.array([0.3, 7.3, 0.85]),
    "eye-right": np.array([-0.3, 7.3, 0.85]),
}


def sphere(centre: Floats, radius: float, rings: int = 7, around: int = 12) -> tuple[Floats, Indices, Floats]:
    """Return vertices (N, 3), triangles (M, 3) and texture coordinates (N, 2) of a sphere without poles."""
    polar, turn = np.meshgrid(
        np.linspace(0.15, np.pi - 0.15, rings), np.arange(around) * 2 * np.pi / around, indexing="ij"
    )
    places = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], axis=-1)
    ring, segment = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    first, second = ring * around + segment, ring * around + (segment + 1) % around
    upper = np.stack([first, first + around, second + around], axis=-1)
    lower = np.stack([first, second + around, second], axis=-1)
    coordinates = np.stack([turn / (2 * np.pi), 1 - polar / np.pi], axis=-1)
    return (
        (places.reshape(-1, 3) * radius + centre).astype(np.float32),
        np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)]).astype(np.int32),
        coordinates.reshape(-1, 2).astype(np.float32),
    )


def part(name: str, seed: int, units: tuple[str, ...], material: Material | None = None) -> Part:
    """Return a sphere at a place of its own, of random colours, moved at random by some units."""
    random = np.random.default_rng(seed)
    centre = POINTS.get(name, np.array([0, 7.0, 0.1 * seed]))
    vertices, triangles, coordinates = sphere(centre, 0.9 / (1 + seed))
    morphs = {}
    for number, unit in enumerate(units):
        # The first moves all vertices, later ones fewer: dense and sparse accessors.
        moved = random.permutation(len(vertices))[: len(vertices) // (1 + 3 * number)].astype(np.int32)
        morphs[unit] = Morph(moved, random.normal(0, 0.05, (len(moved), 3)).astype(np.float32))
    colours = random.uniform(0, 1, (len(vertices), 3)).astype(np.float32)
    return Part(name, vertices, triangles, colours, coordinates, material or Material(), morphs)


def rigged(part: Part) -> RiggedPart:
    """Return a part that turns with the head as its name says: clothes stay, the skin bends."""
    shares = np.full(len(part.vertices), 0.0 if part.name == "clothes" else 1.0, np.float32)
    if part.name == "skin":
        shares = np.clip((part.vertices[:, 1] - 6.4) / 0.6, 0, 1)
    return RiggedPart(part, shares)


def small_avatar() -> list[RiggedPart]:
    """Return parts in an order that is not that of PARTS, with two of one name."""
    parts = [
        part("glasses", 5, (), Material(opacity=0.3, roughness=0.1)),
        part("glasses", 6, ("cheekPuff",)),
        part("skin", 0, UNITS[51::-1][1:]),
        part("eye-left", 1, ("eyeLookUpLeft", "eyeLookInLeft")),
        part("eye-right", 2, ("eyeLookUpRight",)),
        part("lashes", 3, ("eyeBlinkLeft", "eyeBlinkRight"), Material(double_sided=True)),
        part("clothes", 7, ()),
    ]
    return [rigged(one) for one in parts]


def small_take(count: int = 7) -> Take:
    """Return a take whose head turns by more than half a circle."""
    random = np.random.default_rng(count)
    angles = np.linspace(-0.5, 3.5, count)
    cos, sin, zero, one = np.cos(angles), np.sin(angles), np.zeros(count), np.ones(count)
    rotations = np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], axis=1).reshape(-1, 3, 3)
    return Take(Fraction(30000, 1001), random.uniform(0, 1, (count, len(UNITS))), rotations)
