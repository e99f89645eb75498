"""Scenes: the parts of an avatar as flat arrays, as compiled loops read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.light import linear
from facepipe.avatar.mesh import PARTS, Floats, Indices, Part
from facepipe.models.compiled import compiled

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """N vertices and M triangles of several parts, opaque parts first."""

    vertices: Floats
    """(N, 3), decimetres."""
    triangles: Indices
    """(M, 3)."""
    opaque_triangles: int
    """Number of triangles of opaque parts; the others are transparent."""
    owner: NDArray[np.uint8]
    """(M,), index in `parts` of the part of each triangle."""
    double_sided: NDArray[np.bool_]
    """(M,)."""
    colours: Floats
    """(N, 3), linear RGB in [0, 1]."""
    texture_coordinates: Floats
    """(N, 2); zeros where a part has none."""
    parts: tuple[Part, ...]
    numbers: NDArray[np.uint8]
    """(P,), the number of each part in pictures of parts."""


def build_scene(parts: Sequence[Part], textures: Mapping[str, Pixels]) -> Scene:
    """Return the scene of some parts.

    Raises ValueError for unknown names, vertices that are not finite, arrays that do not fit together, and textures of
    absent parts or of parts without texture coordinates.
    """
    for part in parts:
        _check(part)
    coordinates = {part.name for part in parts if part.texture_coordinates is not None}
    if unknown := textures.keys() - coordinates:
        raise ValueError(f"got a texture for {sorted(unknown)}, expected names of parts with texture coordinates")
    for name, texture in textures.items():
        if texture.dtype != np.uint8 or texture.ndim != 3 or texture.shape[2] != 3 or not texture.size:
            raise ValueError(f"got a texture of {name} of {texture.shape} {texture.dtype}, expected (H, W, 3) uint8")
    ordered = tuple(sorted(parts, key=lambda part: part.material.opacity < 1))
    counts = [len(part.vertices) for part in ordered]
    starts = np.cumsum([0, *counts]).astype(np.int32)
    sizes = [len(part.triangles) for part in ordered]
    triangles = [(part.triangles + start).astype(np.int32) for part, start in zip(ordered, starts, strict=False)]
    return Scene(
        vertices=_joined([part.vertices for part in ordered], 3),
        triangles=np.concatenate([np.zeros((0, 3), np.int32), *triangles]),
        opaque_triangles=sum(size for part, size in zip(ordered, sizes, strict=True) if part.material.opacity >= 1),
        owner=np.repeat(np.arange(len(ordered), dtype=np.uint8), sizes),
        double_sided=np.repeat(np.array([part.material.double_sided for part in ordered], bool), sizes),
        colours=linear(_joined([part.colours for part in ordered], 3)),
        texture_coordinates=_joined([_coordinates(part) for part in ordered], 2),
        parts=ordered,
        numbers=np.array([PARTS.index(part.name) + 1 for part in ordered], np.uint8),
    )


def _check(part: Part) -> None:
    count = len(part.vertices)
    if part.name not in PARTS:
        raise ValueError(f"got a part named {part.name!r}, expected one of {', '.join(PARTS)}")
    if part.vertices.shape != (count, 3) or part.colours.shape != (count, 3):
        shapes = f"{part.vertices.shape} vertices and {part.colours.shape} colours"
        raise ValueError(f"got {shapes} for part {part.name}, expected (N, 3) each")
    if part.texture_coordinates is not None and part.texture_coordinates.shape != (count, 2):
        raise ValueError(
            f"got {part.texture_coordinates.shape} texture coordinates for part {part.name}, expected (N, 2)"
        )
    if part.triangles.ndim != 2 or part.triangles.shape[1] != 3:
        raise ValueError(f"got triangles of shape {part.triangles.shape} for part {part.name}, expected (M, 3)")
    if part.triangles.size and not 0 <= part.triangles.min() <= part.triangles.max() < count:
        raise ValueError(f"got triangles of part {part.name} that name vertices beyond its {count}")
    for name, array in {"vertices": part.vertices, "colours": part.colours, "coordinates": _coordinates(part)}.items():
        if not np.isfinite(array).all():
            raise ValueError(f"got {name} of part {part.name} that are not finite, expected finite numbers")


def _coordinates(part: Part) -> Floats:
    if part.texture_coordinates is None:
        return np.zeros((len(part.vertices), 2), np.float32)
    return part.texture_coordinates


def _joined(arrays: Sequence[NDArray[np.generic]], columns: int) -> Floats:
    """Return arrays of rows as one array, also if there are none."""
    return np.concatenate([np.zeros((0, columns), np.float32), *arrays], dtype=np.float32)


@compiled
def vertex_normals(view: NDArray[np.float64], triangles: Indices) -> Floats:
    """Return the (N, 3) unit normals of vertices: means over the adjacent triangles, weighted by their areas.

    Vertices without a proper triangle have a normal of zero.
    """
    sums = np.zeros(view.shape)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t]
        ux, uy, uz = view[b, 0] - view[a, 0], view[b, 1] - view[a, 1], view[b, 2] - view[a, 2]
        vx, vy, vz = view[c, 0] - view[a, 0], view[c, 1] - view[a, 1], view[c, 2] - view[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            sums[corner, 0] += nx
            sums[corner, 1] += ny
            sums[corner, 2] += nz
    normals = np.zeros(view.shape, np.float32)
    for i in range(view.shape[0]):
        length = np.sqrt(sums[i, 0] ** 2 + sums[i, 1] ** 2 + sums[i, 2] ** 2)
        if length > 0:
            for axis in range(3):
                normals[i, axis] = sums[i, axis] / length
    return normals
