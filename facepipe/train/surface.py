"""Points fixed to the triangles of a head: anchors, those seen from the front, and the closest ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.renderers.mesh.raster import rasterise
from facepipe.train.base_head import SKIN, BaseHead

Floats = NDArray[np.float64]
# Side of the pictures of the head, half its side in decimetres, and their middle, which is that of the face.
PIXELS, HALF_SIDE, MIDDLE = 1400, 0.85, np.array([0.0, 6.95, 0.6])
SIDE_VIEWS_RADIANS = (0.0, 0.6, -0.6, 1.2, -1.2)


@dataclass(frozen=True)
class Anchors:
    """N points in triangles."""

    corners: NDArray[np.int32]
    """(N, 3), vertices of the triangles."""
    shares: Floats
    """(N, 3), barycentric coordinates."""

    def values(self, vertices: Floats) -> Floats:
        """Return the interpolated values (N, 3) of values (V, 3) at vertices: positions or displacements."""
        return np.asarray(np.einsum("nk,nkd->nd", self.shares, vertices[self.corners]))

    def replaced(self, others: Mapping[int, Anchors]) -> Anchors:
        """Return these anchors with some replaced by one each."""
        corners, shares = self.corners.copy(), self.shares.copy()
        for number, anchor in others.items():
            corners[number], shares[number] = anchor.corners[0], anchor.shares[0]
        return Anchors(corners, shares)


class FrontView:
    """The head seen from the front, without perspective."""

    def __init__(self, head: BaseHead, vertices: Floats, turn_radians: float = 0.0) -> None:
        cos, sin = np.cos(turn_radians), np.sin(turn_radians)
        x, y, z = ((vertices - MIDDLE) @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])).T
        self._pixels = np.stack([*self.pixel(x, y + MIDDLE[1]), -z * PIXELS / 2 / HALF_SIDE], axis=1).astype(np.float32)
        self._head = head
        nothing = np.zeros((len(vertices), 0), np.float32)
        self.owner = rasterise(self._pixels, head.triangles, nothing, height=PIXELS, width=PIXELS)[2]
        """(PIXELS, PIXELS), the triangle of each pixel; -1 for none."""
        self.parts = np.where(self.owner >= 0, head.parts[self.owner], "")
        """(PIXELS, PIXELS), the part of each pixel."""

    def pixel(self, x: Floats | float, y: Floats | float) -> tuple[Floats, Floats]:
        """Return column and row of a place in decimetres."""
        scale = PIXELS / 2 / HALF_SIDE
        return np.asarray(PIXELS / 2 + x * scale), np.asarray(PIXELS / 2 - (y - MIDDLE[1]) * scale)

    def anchor(self, column: Floats | float, row: Floats | float) -> Anchors:
        """Return the anchor of the skin at a pixel."""
        column, row = round(float(column)), round(float(row))
        number = self.owner[row, column]
        assert number >= 0, f"nothing is at column {column}, row {row}"
        assert self._head.parts[number] == SKIN, f"{self._head.parts[number]} is at column {column}, row {row}"
        corners = self._head.triangles[number]
        first, second, third = self._pixels[corners, :2]
        shares = np.linalg.solve(np.stack([second - first, third - first], axis=1), (column, row) - first)
        return Anchors(corners[None], np.array([[1 - shares.sum(), *shares]]))


def outer_skin(head: BaseHead) -> NDArray[np.intp]:
    """Return the triangles of the skin of the face that are visible from the front or from a side."""
    seen = np.zeros(len(head.triangles), bool)
    for turn in SIDE_VIEWS_RADIANS:
        owner = FrontView(head, head.vertices, turn).owner
        seen[np.unique(owner[owner >= 0])] = True
    return np.flatnonzero(seen & (head.parts == SKIN) & (head.vertices[head.triangles][..., 2].mean(1) > 0))


def closest_points(head: BaseHead, points: Floats, triangles: NDArray[np.intp]) -> Anchors:
    """Return the anchors closest to (N, 3) points. Coordinates are clipped to the triangle, which is close enough."""
    corners = head.triangles[triangles]
    first, second, third = np.moveaxis(head.vertices[corners], 1, 0)
    along, across = second - first, third - first
    chosen, shares = [], []
    aa, ac, cc = ((one * two).sum(1) for one, two in ((along, along), (along, across), (across, across)))
    scale = aa * cc - ac * ac + 1e-15
    for point in points:
        a, c = (along * (point - first)).sum(1), (across * (point - first)).sum(1)
        pair = np.clip(np.stack([(cc * a - ac * c) / scale, (aa * c - ac * a) / scale], axis=1), 0, 1)
        pair /= np.maximum(pair.sum(1, keepdims=True), 1)
        place = first + pair[:, :1] * along + pair[:, 1:] * across
        best = int(((place - point) ** 2).sum(1).argmin())
        chosen.append(best)
        shares.append([1 - pair[best].sum(), *pair[best]])
    return Anchors(corners[chosen], np.array(shares))
