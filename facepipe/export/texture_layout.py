"""Layouts of textures: which place of a texture each triangle of the skin shows.

The skin's own coordinates are seen from the middle of the face, so that the insides of mouth and eye sockets share them
with lips and lids, and triangles across the back of the head stretch over the whole face. Both get places of their own
in corners of the texture, and their vertices become copies. The face is enlarged, because a portrait has more detail
than the back of the head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.export.avatar_model import Displacements, Mesh, Target

MAGNIFICATION = 2.0
"""The middle of the face is 1 + MAGNIFICATION times as large as in the coordinates of the skin."""
CORNER = 0.12
"""Side of a corner, as a fraction of the texture's."""
STRETCHED = 0.25
"""A triangle with an edge longer than this, as a fraction of the texture, lies across the back."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The vertices of a mesh, some of them twice, with one place of the texture for each."""

    vertices: Indices
    """(N',), numbers of the mesh's vertices."""
    triangles: Indices
    """(M, 3), of N' vertices, those of the mesh in its order."""
    coordinates: Floats
    """(N', 2), float32, u to the right and v up."""
    moved: NDArray[np.bool_]
    """(M,), whether a triangle lies in a corner."""


def layout_of(positions: Floats, triangles: Indices, coordinates: Floats, inner: NDArray[np.bool_]) -> Layout:
    """Return the layout of a mesh. `inner` (N,) marks vertices of insides; triangles of three of these are insides."""
    corners = coordinates[triangles]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    inside, back = inner[triangles].all(axis=1), edges > STRETCHED
    chart = np.where(back, 2, np.where(inside, 1, 0))
    low, high = positions.min(axis=0), positions.max(axis=0)
    behind = (positions[:, :2] - low[:2]) / (high - low)[:2]
    places = (_enlarged(coordinates), CORNER * coordinates, CORNER * behind + (1 - CORNER, 0))
    # One copy of a vertex for each chart that shows it.
    keys, local = np.unique(chart[:, None] * len(positions) + triangles, return_inverse=True)
    vertices, charts = keys % len(positions), keys // len(positions)
    return Layout(
        vertices=vertices.astype(np.int32),
        triangles=local.reshape(-1, 3).astype(np.int32),
        coordinates=np.choose(charts[:, None], [place[vertices] for place in places]).astype(np.float32),
        moved=chart > 0,
    )


def _enlarged(coordinates: Floats) -> Floats:
    """Return coordinates (N, 2) moved away from the middle of the texture; those at its inscribed circle stay."""
    away = coordinates - 0.5
    radius = 2 * np.linalg.norm(away, axis=1, keepdims=True)
    enlarged: Floats = 0.5 + away * (1 + MAGNIFICATION) / (1 + MAGNIFICATION * radius)
    return enlarged


def relaid(mesh: Mesh, layout: Layout, texture: bytes) -> Mesh:
    """Return a mesh with a texture in a layout."""
    rows = layout.vertices
    return replace(
        mesh,
        positions=mesh.positions[rows],
        normals=mesh.normals[rows],
        colours=mesh.colours[rows],
        turning=mesh.turning[rows],
        triangles=layout.triangles,
        texture_coordinates=layout.coordinates,
        texture=texture,
        targets={
            name: Target(_copied(target.positions, rows), _copied(target.normals, rows))
            for name, target in mesh.targets.items()
        },
    )


def _copied(displacements: Displacements, rows: Indices) -> Displacements:
    """Return the displacements of rows (N',) of a mesh."""
    where = np.full(rows.max() + 1, -1)
    known = displacements.vertices[displacements.vertices < len(where)]
    where[known] = np.arange(len(known))
    found = where[rows]
    moved = np.flatnonzero(found >= 0).astype(np.int32)
    return Displacements(moved, displacements.offsets[found[moved]])
