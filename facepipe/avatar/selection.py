"""The selection: which vertices of the base mesh the compiled head keeps, in which order, and their triangles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from facepipe.avatar.head import HEAD_PARTS, JOINTS
from facepipe.avatar.mesh import Indices, Reals
from facepipe.avatar.source import BaseMesh
from facepipe.errors import InputError

GROUPS: Mapping[str, tuple[str, ...]] = {
    "eye-left": ("helper-l-eye",),
    "eye-right": ("helper-r-eye",),
    "teeth-upper": ("helper-upper-teeth",),
    "teeth-lower": ("helper-lower-teeth",),
    "tongue": ("helper-tongue",),
    "lashes": ("helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1", "helper-r-eyelashes-2"),
}
BUST_FLOOR, BUST_RADIUS = 5.45, 0.78
"""Decimetres: the skin ends at this height, and at this distance from the axis of the neck. Clothes cover its edge."""
NECK_AXIS = np.array([0.0, 0.1])
"""x and z of the axis of the neck."""
PROBES = {
    "head": (0.0, 7.8, 1.45),
    "mouth-cavity": (0.0, 6.93, 1.24),
    "socket-left": (0.3, 7.28, 1.09),
    "socket-right": (-0.3, 7.28, 1.09),
}
"""A place on the base mesh within each chart of texture coordinates by which parts of the skin are told apart."""

CAVITIES = {"mouth": "mouth-cavity", "lid-left": "socket-left", "lid-right": "socket-right"}
"""The chart inside each opening of the skin."""
RINGS = 12
OUTSIDE = RINGS + 1


@dataclass(frozen=True, eq=False)
class Selection:
    """The kept vertices, and what the base mesh says of them."""

    vertices: Indices
    """(N - len(JOINTS),), numbers in the base mesh."""
    joints: tuple[Indices, ...]
    """The vertices of the cube of each of JOINTS."""
    spans: Mapping[str, slice]
    triangles: Mapping[str, Indices]
    charts: Mapping[str, NDArray[np.bool_]]
    """(K,) masks of the K vertices of the skin."""
    rings: Mapping[str, Indices]
    """(K,) by opening, "mouth", "lid-left" or "lid-right": edges from its rim; OUTSIDE beyond RINGS, -1 inside."""
    texture_coordinates: Reals
    """(K, 2)."""
    mirror: Indices
    """(K,)."""

    def of(self, rows: Reals) -> Reals:
        """Return rows (..., V, 3) of the base mesh for the kept vertices and joints (..., N, 3), rounded float32."""
        centres = [rows[..., cube, :].mean(axis=-2, keepdims=True) for cube in self.joints]
        kept = np.concatenate([rows[..., self.vertices, :], *centres], axis=-2)
        rounded: Reals = np.round(kept, 6).astype(np.float32)
        return rounded


def select(base: BaseMesh) -> Selection:
    """Select the head. Raises InputError if a group is missing."""
    groups = np.array(base.groups)
    quads = {"skin": base.quads[(groups == "body") & _in_bust(base)]}
    for part, names in GROUPS.items():
        quads[part] = base.quads_of(*names)
    vertices, spans, triangles, start = [], {}, {}, 0
    for part in HEAD_PARTS:
        if not len(quads[part]):
            raise InputError(f"the base mesh has no faces for the part {part}; install its package again")
        kept, local = np.unique(quads[part], return_inverse=True)
        local = local.reshape(-1, 4).astype(np.int32)
        triangles[part] = np.concatenate([local[:, [0, 1, 2]], local[:, [0, 2, 3]]])
        spans[part] = slice(start, start + len(kept))
        vertices.append(kept.astype(np.int32))
        start += len(kept)
    skin = vertices[0]
    places, charts = base.vertices[skin], _charts(base, skin)
    edges = _edges(np.searchsorted(skin, quads["skin"]))
    return Selection(
        vertices=np.concatenate(vertices),
        joints=tuple(np.unique(base.quads_of(name)) for name in JOINTS),
        spans=spans,
        triangles=triangles,
        charts=charts,
        rings={name: _rings(edges, charts[cavity]) for name, cavity in CAVITIES.items()},
        texture_coordinates=_texture_coordinates(places),
        mirror=KDTree(places).query(places * [-1, 1, 1])[1].astype(np.int32),
    )


def _in_bust(base: BaseMesh) -> NDArray[np.bool_]:
    away = np.linalg.norm(base.vertices[:, [0, 2]] - NECK_AXIS, axis=1)
    y = base.vertices[:, 1]
    kept = (y > 6.0) | ((y > BUST_FLOOR) & (away < BUST_RADIUS))
    kept &= np.abs(base.vertices[:, 0]) < 1.2
    mask: NDArray[np.bool_] = kept[base.quads].all(axis=1)
    return mask


def _charts(base: BaseMesh, skin: Indices) -> dict[str, NDArray[np.bool_]]:
    """Return which vertices (K,) of the skin lie in the charts of PROBES: what connected texture coordinates cover."""
    corners = base.texture_quads
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 3]]])
    count = len(base.texture_coordinates)
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    charts = connected_components(graph, directed=False)[1][corners[:, 0]]
    body = np.array(base.groups) == "body"
    seats = base.vertices[base.quads].mean(axis=1)
    found = {}
    for name, probe in PROBES.items():
        nearest = np.where(body, np.linalg.norm(seats - np.array(probe), axis=1), np.inf).argmin()
        inside = np.zeros(len(base.vertices), bool)
        inside[base.quads[(charts == charts[nearest]) & body]] = True
        found[name] = inside
    head = found["head"]
    return {name: (mask if name == "head" else mask & ~head)[skin] for name, mask in found.items()}


def _edges(quads: Indices) -> Indices:
    """Return the edges (E, 2) of quads, each in both directions."""
    one_way = np.concatenate([quads[:, [corner, (corner + 1) % 4]] for corner in range(4)])
    return np.concatenate([one_way, one_way[:, ::-1]])


def _rings(edges: Indices, cavity: NDArray[np.bool_]) -> Indices:
    rings = np.full(len(cavity), OUTSIDE, np.int32)
    rings[cavity] = -1
    for ring in range(-1, RINGS):
        neighbours = edges[rings[edges[:, 0]] == ring, 1]
        rings[neighbours[rings[neighbours] == OUTSIDE]] = ring + 1
    return rings


def _texture_coordinates(places: Reals) -> Reals:
    """Return coordinates (K, 2) of the azimuthal projection about the face: its distance from the middle is the angle.

    It has no seam; only its outermost ring, at the back of the head, is stretched.
    """
    x, y, z = (places - np.array([0, 7.0, 0.3])).T
    angle = np.arctan2(np.hypot(x, y), z) / (2 * np.pi)
    around = np.arctan2(y, x)
    return np.stack([0.5 + angle * np.cos(around), 0.5 + angle * np.sin(around)], axis=1)
