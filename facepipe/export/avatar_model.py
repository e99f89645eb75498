"""Avatars as other programs hold them: metres, normals, and one list of targets.

The head turns about its joint with the neck. Most parts turn with it as a whole; the skin of the neck, and hair that
reaches down to it, follow vertex by vertex, or they would cut through the collar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import PARTS, Floats, Indices, Material, Part
from facepipe.avatar.normals import vertex_normals
from facepipe.avatar.units import UNITS
from facepipe.export.rigging import RiggedPart

METRES_PER_DECIMETRE = 0.1
Numbers = NDArray[np.floating[Any]]
FULL_PARTS = ("skin",)
"""Parts that have a target for each of UNITS. Others have targets for the units that move them."""
STILL_NORMAL = 1e-3
"""Normals that a target changes by less in every coordinate keep their direction (0.06 degrees)."""


@dataclass(frozen=True, eq=False)
class Displacements:
    """Displacements of some vertices; zero elsewhere."""

    vertices: Indices
    """(K,), ascending."""
    offsets: Floats
    """(K, 3), float32."""

    def dense(self, count: int) -> Floats:
        """Return the displacements (count, 3) of all vertices."""
        offsets = np.zeros((count, 3), np.float32)
        offsets[self.vertices] = self.offsets
        return offsets


@dataclass(frozen=True, eq=False)
class Target:
    """A morph target: how a mesh changes at weight 1."""

    positions: Displacements
    """Metres."""
    normals: Displacements
    """Differences of unit normals."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """One part of an avatar."""

    name: str
    """The part's name; "hair-2" for the second part of the name "hair"."""
    origin: Numbers
    """(3,), metres from the avatar's origin: what `positions` are relative to."""
    positions: Floats
    """(N, 3), float32, metres from `origin`."""
    normals: Floats
    """(N, 3), float32, of length 1."""
    colours: Floats
    """(N, 3), float32, sRGB in [0, 1]."""
    triangles: Indices
    """(M, 3), counter-clockwise seen from outside."""
    texture_coordinates: Floats | None
    """(N, 2), float32, u to the right and v up."""
    texture: bytes | None
    """A PNG in place of the colours."""
    material: Material
    turning: Floats
    """(N,), float32 in [0, 1]: share of the head's rotation that each vertex takes."""
    targets: Mapping[str, Target]
    """By face unit, in the order of UNITS."""

    @property
    def follows(self) -> Literal["head", "body", "both"]:
        """What the mesh is fixed to: the head or the body as a whole, or both, by the shares of `turning`."""
        if self.turning.min() == self.turning.max() and self.turning.max() in (0, 1):
            return "head" if self.turning.max() else "body"
        return "both"


@dataclass(frozen=True, eq=False)
class AvatarModel:
    """The meshes of an avatar, and the joint about which the head turns."""

    neck: Numbers
    """(3,), metres."""
    meshes: tuple[Mesh, ...]


def avatar_model(parts: Sequence[RiggedPart], points: Mapping[str, Numbers]) -> AvatarModel:
    """Return the model of some parts.

    Args:
        parts: Parts in the neutral expression, in any order.
        points: (3,) each, decimetres: "neck", and the origins of parts of the head by name, such as "eye-left".

    Raises ValueError for parts whose arrays do not fit together, and for unknown parts and units.
    """
    neck = _metres(points["neck"])
    seen: Counter[str] = Counter()
    meshes = []
    for rigged in sorted(parts, key=lambda rigged: PARTS.index(_checked(rigged).name)):
        part = rigged.part
        seen[part.name] += 1
        name = part.name if seen[part.name] == 1 else f"{part.name}-{seen[part.name]}"
        origin = _metres(points.get(part.name, points["neck"])) if (rigged.turning == 1).all() else np.zeros(3)
        meshes.append(_mesh(rigged, name, origin))
    return AvatarModel(neck, tuple(meshes))


def _mesh(rigged: RiggedPart, name: str, origin: Numbers) -> Mesh:
    part = rigged.part
    normals = _normals(part.vertices, part.triangles)
    moving = {unit: _target(part, unit, normals) for unit in UNITS if unit in part.morphs}
    still = Displacements(np.zeros(0, np.int32), np.zeros((0, 3), np.float32))
    if part.name in FULL_PARTS:
        moving = {unit: moving.get(unit, Target(still, still)) for unit in UNITS}
    coordinates = part.texture_coordinates
    return Mesh(
        name=name,
        origin=origin,
        positions=(_metres(part.vertices) - origin).astype(np.float32),
        normals=normals,
        colours=part.colours.astype(np.float32),
        triangles=part.triangles,
        texture_coordinates=None if coordinates is None else coordinates.astype(np.float32),
        texture=None,
        material=part.material,
        turning=rigged.turning.astype(np.float32),
        targets=moving,
    )


def _target(part: Part, unit: str, normals: Floats) -> Target:
    morph = part.morphs[unit]
    order = np.argsort(morph.vertices)
    moved = part.vertices.astype(np.float64)
    moved[morph.vertices] += morph.offsets
    turned = _normals(moved, part.triangles) - normals
    changed = np.flatnonzero(np.abs(turned).max(axis=1) > STILL_NORMAL).astype(np.int32)
    offsets = _metres(morph.offsets).astype(np.float32)
    return Target(Displacements(morph.vertices[order], offsets[order]), Displacements(changed, turned[changed]))


def _normals(vertices: Numbers, triangles: Indices) -> Floats:
    """Return unit normals (N, 3); towards the viewer where triangles have no area, because files need some length."""
    normals: Floats = vertex_normals(vertices.astype(np.float64), triangles)
    normals[np.linalg.norm(normals, axis=1) < 0.5] = (0, 0, 1)
    return normals


def _metres(decimetres: Numbers) -> Numbers:
    metres: Numbers = np.asarray(decimetres, np.float64) * METRES_PER_DECIMETRE
    return metres


def _checked(rigged: RiggedPart) -> Part:
    part = rigged.part
    count = len(part.vertices)
    if part.name not in PARTS:
        raise ValueError(f"got a part named {part.name!r}, expected one of {', '.join(PARTS)}")
    if not len(part.triangles) or not 0 <= part.triangles.min() <= part.triangles.max() < count:
        raise ValueError(f"got triangles of part {part.name} that are none, or name vertices beyond its {count}")
    if part.vertices.shape != (count, 3) or part.colours.shape != (count, 3):
        raise ValueError(f"got vertices or colours of part {part.name} of another shape, expected ({count}, 3)")
    if rigged.turning.shape != (count,) or not (0 <= rigged.turning.min() <= rigged.turning.max() <= 1):
        raise ValueError(f"got shares of the rotation of part {part.name} that are not {count} numbers from 0 to 1")
    if unknown := sorted(part.morphs.keys() - set(UNITS)):
        raise ValueError(f"got morphs {unknown} of part {part.name}, expected names of face units")
    arrays = [part.vertices, part.colours, *(morph.offsets for morph in part.morphs.values())]
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"got numbers of part {part.name} that are not finite")
    for unit, morph in part.morphs.items():
        if len(np.unique(morph.vertices)) < len(morph.vertices) or not np.isin(morph.vertices, np.arange(count)).all():
            raise ValueError(f"got a morph {unit} of part {part.name} with vertices twice, or beyond its {count}")
    return part
