"""Closing: lips and lids that meet on every shape of head.

The shape targets move lips and lids apart a little, and the units of the base mesh close its own lids only. The rims of
mouth and eyes are therefore paired on the template, and brought together on each shaped head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Indices, Reals
from facepipe.avatar.template import Template
from facepipe.avatar.units import UNITS

LIP_RING, LIP_REACH = 2, 7
"""The ring of the lips that touches, and the one from which the skin stays in place."""
LIP_OVERLAP = 0.004
"""Decimetres by which closed lips overlap, so that no slit shows."""
LID_RING = 2
"""The ring of the lids that is their front edge."""
CLEARANCE = 0.006
"""Decimetres by which a closed upper lid lies in front of the lower one."""
EYE_REACH = (0.2, 0.4)
"""Decimetres from an eye's centre within which its units grow with it, and beyond which they do not."""


@dataclass(frozen=True, eq=False)
class Rim:
    """The two edges of an opening of the skin, from the corner at smaller x to the other."""

    upper: Indices
    lower: Indices
    upper_shares: Reals
    """(U,), the share of the way from corner to corner of each vertex of the upper edge, ascending."""
    lower_shares: Reals
    shares: Reals
    """(N,), the same of every vertex of the skin."""

    def along(self, edge: str, rows: Reals, shares: Reals) -> Reals:
        """Return rows (N, 3) of the skin interpolated along an edge, "upper" or "lower", at shares (K,): (K, 3)."""
        vertices, known = (self.upper, self.upper_shares) if edge == "upper" else (self.lower, self.lower_shares)
        values = rows[vertices]
        return np.stack([np.interp(shares, known, values[:, axis]) for axis in range(3)], axis=1)


def rim_of(template: Template, opening: str, ring: int) -> Rim:
    """Return the rim of an opening of the template at a ring of vertices."""
    places = template.vertices.astype(np.float64)
    loop = np.flatnonzero(template.rings[opening] == ring)
    order = loop[np.argsort(places[loop, 0], kind="stable")]
    start, end = places[order[0]], places[order[-1]]
    shares = np.clip((places[:, 0] - start[0]) / (end[0] - start[0]), 0, 1)
    height = places[:, 1] - (start[1] + shares * (end[1] - start[1]))
    inner = order[1:-1]
    upper = np.concatenate([order[:1], inner[height[inner] > 0], order[-1:]]).astype(np.int32)
    lower = np.concatenate([order[:1], inner[height[inner] <= 0], order[-1:]]).astype(np.int32)
    return Rim(upper, lower, shares[upper], shares[lower], shares)


class Lips:
    """The closing of the mouth."""

    def __init__(self, template: Template) -> None:
        self._rim = rim_of(template, "mouth", LIP_RING)
        rings = template.rings["mouth"]
        self._near = np.flatnonzero(
            (rings >= -1) & (rings < LIP_REACH) & (self._rim.shares > 0) & (self._rim.shares < 1)
        )
        near = self._near
        middle = 0.5 * (
            self._rim.along("upper", template.vertices, self._rim.shares[near])
            + self._rim.along("lower", template.vertices, self._rim.shares[near])
        )
        above = template.vertices[near, 1] > middle[:, 1]
        strength = np.clip((LIP_REACH - rings[near]) / (LIP_REACH - LIP_RING), 0, 1)
        strength[template.rings["mouth"][near] < 0] = 0
        self._shares = np.where(above, -0.5, 0.5) * strength

    def close(self, vertices: Reals) -> None:
        """Move the lips (N, 3) together, half the way each, in place."""
        shares = self._rim.shares[self._near]
        # The vertices of the edges do not face each other: further rounds take what the first leaves.
        for _ in range(3):
            gap = self._rim.along("upper", vertices, shares) - self._rim.along("lower", vertices, shares)
            overlap = LIP_OVERLAP * np.minimum(1, 8 * np.minimum(shares, 1 - shares))
            vertices[self._near, 1] += (self._shares * (gap[:, 1] + overlap)).astype(np.float32)


class Lids:
    """The lids of one eye."""

    def __init__(self, template: Template, units: Reals, side: str, centre: Reals) -> None:
        self.rim = rim_of(template, f"lid-{side}", LID_RING)
        name = side.capitalize()
        self._blink = UNITS.index(f"eyeBlink{name}")
        blink = units[self._blink].astype(np.float64)
        length = np.linalg.norm(self.rim.along("upper", blink, self.rim.shares), axis=1)
        strength = np.clip(np.linalg.norm(blink, axis=1) / np.maximum(length, 1e-6), 0, 1)
        self._moving = np.flatnonzero((blink[:, 1] < -0.002) & (length > 1e-6))
        self._strength = strength[self._moving, None]
        self._original = self.rim.along("upper", blink, self.rim.shares[self._moving])
        away = np.linalg.norm(template.vertices - centre, axis=1)
        self._near = np.clip((EYE_REACH[1] - away) / (EYE_REACH[1] - EYE_REACH[0]), 0, 1)
        self._around = np.flatnonzero(self._near > 0)
        self._eye_units = np.array([unit.startswith("eye") and unit.endswith(name) for unit in UNITS]).nonzero()[0]
        rings = template.rings[f"lid-{side}"]
        self.sliding = np.flatnonzero((rings >= LID_RING) & (np.linalg.norm(blink, axis=1) > 1e-3))
        """Vertices that slide over the eyeball."""

    def close(self, units: Reals, vertices: Reals, growth: float) -> None:
        """Change the units (52, N, 3) of a shaped head (N, 3), in place, so that the upper lid meets the lower one.

        `growth` is the eye's size as a multiple of the template's; all units of the eye grow by it.
        """
        around = self._around
        units[np.ix_(self._eye_units, around)] *= (1 + self._near[around, None] * (growth - 1)).astype(np.float32)
        shares = self.rim.shares[self._moving]
        way = self.rim.along("lower", vertices, shares) - self.rim.along("upper", vertices, shares)
        way[:, 2] += CLEARANCE * np.minimum(1, 8 * np.minimum(shares, 1 - shares))
        grown = self._original * (1 + self._near[self._moving, None] * (growth - 1))
        units[self._blink, self._moving] += (self._strength * (way - grown)).astype(np.float32)


def slide_over(vertices: Reals, lid: NDArray[np.intp], centre: Reals, radii: Reals) -> None:
    """Push the vertices `lid` of the skin (N, 3) that lie nearer to an eyeball's centre than `radii` out, in place."""
    away = vertices[lid] - centre
    distances = np.linalg.norm(away, axis=1)
    inside = (distances < radii) & (away[:, 2] > 0)
    vertices[lid[inside]] = centre + away[inside] * (radii[inside] / distances[inside])[:, None]
