"""Two rows of teeth, the upper fixed to the skull and the lower to the jaw, in the units of the face model.

Sizes are about those of grown people, with 90 mm from outer eye corner to outer eye corner; how the rows lie behind the
lips was set by the look of mouths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology

Floats = NDArray[np.floating]
MM = 1 / 90
# Where the lips meet in the middle, and skin over the bone of the jaw.
UPPER_LIP, LOWER_LIP, JAW = 13, 14, [topology.CHIN, 148, 377, 175, 199]
# Gums are as high again as the teeth.
GUM_REACH = 2.0
# How much of its teeth a lower lip leaves bare at most.
MOST_BARE_MM = 2.5
STEPS = 48


@dataclass(frozen=True)
class Row:
    """One row of teeth: an arch, half an ellipse, seen from above."""

    widths_mm: tuple[float, ...]
    """Of the teeth of one half, from the middle on."""
    half_width_mm: float
    depth_mm: float
    setback_mm: float
    """How far the foremost teeth lie behind where the lips meet."""
    edge_mm: float
    """How far below where the lips meet the edges of the front teeth are, the mouth closed."""
    neck_mm: float
    """How far below their edges the necks are: above where negative."""


UPPER = Row((8.5, 6.6, 7.6, 7.0, 6.8, 10.0), 28.0, 40.0, 4.0, 2.0, -10.0)
LOWER = Row((5.3, 5.9, 6.8, 7.0, 7.0, 11.0), 25.0, 38.0, 6.5, -0.5, 8.5)


@dataclass(frozen=True)
class Teeth:
    """Both rows as a mesh in the space of the face model."""

    vertices: NDArray[np.float32]
    """(V, 3)"""
    values: NDArray[np.float32]
    """(V, 3): place along the arch from its middle and depth behind the front teeth, both in mm; from edge, 0, to neck,
    1, and beyond."""
    triangles: NDArray[np.int32]
    """(M, 3), those of the upper row first."""

    @property
    def lower(self) -> slice:
        """The vertices of the lower row."""
        return slice(len(self.vertices) // 2, None)


def arch(row: Row) -> tuple[Floats, Floats, Floats]:
    """Return (N,) place along the arch, place across and depth of an arch, in mm."""
    angle = np.radians(np.linspace(-85, 85, STEPS + 1))
    across, depth = row.half_width_mm * np.sin(angle), row.depth_mm * (1 - np.cos(angle))
    along = np.concatenate([[0], np.hypot(np.diff(across), np.diff(depth)).cumsum()])
    return along - along[STEPS // 2], across, depth


def teeth_of(neutral: Floats) -> Teeth:
    """Return the teeth behind the lips of a (478, 3) face at rest."""
    rows = []
    for row in (UPPER, LOWER):
        along, across, depth = arch(row)
        # Edges rise towards the back, as lips do.
        edge = row.edge_mm - 2.0 * (across / row.half_width_mm) ** 2
        for reach in (0.0, GUM_REACH):
            places = np.stack([across, edge + reach * row.neck_mm, depth + row.setback_mm], 1)
            rows.append((places, np.stack([along, depth, np.full(len(along), reach)], 1)))
    places, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    corners = np.array([[0, 1, STEPS + 1], [1, STEPS + 2, STEPS + 1]])
    strip = (np.arange(STEPS)[:, None, None] + corners).reshape(-1, 3)
    return Teeth(
        vertices=(neutral[[UPPER_LIP, LOWER_LIP]].mean(0) + MM * places).astype(np.float32),
        values=values.astype(np.float32),
        triangles=np.concatenate([strip, strip + 2 * (STEPS + 1)]).astype(np.int32),
    )


def across_tooth(along: Floats, row: Row) -> Floats:
    """Return where (N,) places along an arch lie on their tooth: -1 and 1 where it meets its neighbours."""
    ends = np.concatenate([[0.0], np.cumsum(row.widths_mm)])
    place = np.abs(along)
    tooth = np.clip(np.searchsorted(ends, place, side="right") - 1, 0, len(row.widths_mm) - 1)
    return np.asarray(2 * (place - ends[tooth]) / np.array(row.widths_mm)[tooth] - 1)


def jaw_shift(points: Floats, neutral: Floats) -> Floats:
    """Return (3,) how far the jaw of (478, 3) points has moved from that of the face at rest, both without pose."""
    moved = (points[JAW] - neutral[JAW]).mean(0)
    # The skin of the chin moves less than the bone below it, and no lower lip leaves much of the teeth behind it bare.
    least = points[LOWER_LIP, 1] - neutral[[UPPER_LIP, LOWER_LIP], 1].mean() - MM * (LOWER.edge_mm + MOST_BARE_MM)
    return np.array([0.5 * moved[0], max(0.0, moved[1], least), moved[2]])
