"""The template: the skin of the neutral head, its regions and landmarks, and points attached to its surface.

An asset is designed once on the template, whose geometry never changes, and then placed on every shaped head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from facepipe.avatar.closest import closest
from facepipe.avatar.mesh import Floats, Indices, Reals

CANDIDATES = 24
"""Triangles by centre distance among which the closest point of the surface is searched."""


@dataclass(frozen=True)
class Attachment:
    """K points fixed to the skin: barycentric coordinates, a height along the normal, and a displacement on top."""

    corners: Indices
    """(K, 3), vertices of the triangle below each point."""
    weights: Floats
    """(K, 3), barycentric coordinates in it; each row sums to 1."""
    heights: Floats
    """(K,), decimetres along the smooth normal of the surface."""
    drifts: Floats
    """(K, 3), decimetres along the axes of the head; what hangs or sticks out far from the surface."""


@dataclass(frozen=True, eq=False)
class Template:
    """The skin of the neutral head."""

    vertices: Floats
    """(N, 3), decimetres."""
    normals: Floats
    """(N, 3), smooth unit normals."""
    triangles: Indices
    """(M, 3), counter-clockwise seen from outside."""
    texture_coordinates: Floats
    """(N, 2)."""
    mirror: Indices
    """(N,), the vertex at the mirrored place."""
    regions: Mapping[str, Indices]
    """Vertices by name of region; see facepipe.avatar.regions.REGIONS."""
    rings: Mapping[str, Indices]
    """(N,) by opening of the skin, "mouth", "lid-left" and "lid-right": edges from its rim; -1 in its cavity."""
    landmarks: Mapping[str, int]
    """Vertex by name of landmark; see facepipe.avatar.regions.LANDMARKS."""

    @cached_property
    def _centres(self) -> KDTree:
        return KDTree(self.vertices[self.triangles].mean(axis=1))

    @cached_property
    def _corners(self) -> Reals:
        return self.vertices[self.triangles].astype(np.float64)

    @cached_property
    def _radii(self) -> Reals:
        away = self._corners - np.asarray(self._centres.data)[:, None]
        radii: Reals = np.linalg.norm(away, axis=2).max(axis=1)
        return radii

    def attach(self, points: Floats, *, normal: bool = True) -> Attachment:
        """Attach points (K, 3), given near the template, to their closest places on the surface.

        With `normal`, the distance from the surface becomes a height along its normal, which turns and grows with the
        surface, and the rest a drift; without, all of it is drift.
        """
        places = np.asarray(points, np.float64).reshape(-1, 3)
        away, near = self._centres.query(places, k=np.arange(1, 1 + min(CANDIDATES, len(self.triangles))))
        found, weights = closest(places, self._corners, near.astype(np.int32), away, self._radii)
        corners = self.triangles[found]
        away = places - np.einsum("kc,kcx->kx", weights, self.vertices[corners])
        normals = smooth_normals(weights, self.normals[corners])
        heights = np.einsum("kx,kx->k", away, normals) if normal else np.zeros(len(places))
        drifts = away - heights[:, None] * normals
        return Attachment(corners, weights.astype(np.float32), heights.astype(np.float32), drifts.astype(np.float32))

    def attach_vertices(self, vertices: Indices, heights: Floats | float = 0.0) -> Attachment:
        """Attach one point to each of K vertices, at a height along the normal: a shell grown from the skin."""
        vertices = np.asarray(vertices, np.int32)
        count = len(vertices)
        return Attachment(
            np.repeat(vertices[:, None], 3, axis=1),
            np.tile(np.array([1, 0, 0], np.float32), (count, 1)),
            np.broadcast_to(np.asarray(heights, np.float32), (count,)).copy(),
            np.zeros((count, 3), np.float32),
        )

    def patch(self, region: Indices) -> tuple[Indices, Indices]:
        """Return (vertices (K,), triangles (L, 3)): the triangles wholly in a region, by its sorted vertices."""
        chosen = np.zeros(len(self.vertices), bool)
        chosen[region] = True
        vertices = np.flatnonzero(chosen).astype(np.int32)
        number = np.cumsum(chosen) - 1
        inside = chosen[self.triangles].all(axis=1)
        return vertices, number[self.triangles[inside]].astype(np.int32)


def smooth_normals(weights: Reals, normals: Reals) -> Reals:
    """Return unit normals (K, 3) interpolated from those of corners (K, 3, 3) by barycentric weights (K, 3)."""
    mixed = np.einsum("kc,kcx->kx", weights, normals)
    unit: Reals = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
    return unit
