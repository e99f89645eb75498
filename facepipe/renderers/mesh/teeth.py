"""Two rows of teeth, the upper fixed to the skull and the lower to the jaw, in units of the face model.

Sizes are approximately those of adults with an outer-eye distance of 90 mm; the position behind the lips was chosen by
eye.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology

Floats = NDArray[np.floating]
MM = 1 / 90
# Midpoints of the inner lips, and points on the bone of the jaw.
UPPER_LIP, LOWER_LIP, JAW = 13, 14, [topology.CHIN, 148, 377, 175, 199]
# Height of teeth and gums together, in heights of the teeth.
GUM_REACH = 2.0
# Largest height of the lower teeth that is visible above the lower lip.
MAX_BARE_MM = 2.5
STEPS = 48


@dataclass(frozen=True)
class Row:
    """One row of teeth. Seen from above, the arch is half an ellipse."""

    widths_mm: tuple[float, ...]
    """Widths of the teeth of one half, from the middle outwards."""
    half_width_mm: float
    depth_mm: float
    setback_mm: float
    """Distance of the front teeth behind the point where the lips meet."""
    edge_mm: float
    """Distance of the front teeth's edges below the point where the lips meet, with the mouth closed."""
    neck_mm: float
    """Distance of the necks below the edges; negative above."""


UPPER = Row((8.5, 6.6, 7.6, 7.0, 6.8, 10.0), 28.0, 40.0, 4.0, 2.0, -10.0)
LOWER = Row((5.3, 5.9, 6.8, 7.0, 7.0, 11.0), 25.0, 38.0, 6.5, -0.5, 8.5)


@dataclass(frozen=True)
class Teeth:
    """Mesh of both rows in the space of the face model."""

    vertices: NDArray[np.float32]
    """(V, 3)"""
    values: NDArray[np.float32]
    """(V, 3): position along the arch from its middle, and depth behind the front teeth, in mm; height in the tooth, 0
    at the edge, 1 at the neck, larger in the gums."""
    triangles: NDArray[np.int32]
    """(M, 3), the upper row first."""

    @property
    def lower(self) -> slice:
        """Vertices of the lower row."""
        return slice(len(self.vertices) // 2, None)


def arch(row: Row) -> tuple[Floats, Floats, Floats]:
    """Return three (N,): position along the arch from its middle, x and depth, in mm."""
    angle = np.radians(np.linspace(-85, 85, STEPS + 1))
    across, depth = row.half_width_mm * np.sin(angle), row.depth_mm * (1 - np.cos(angle))
    along = np.concatenate([[0], np.hypot(np.diff(across), np.diff(depth)).cumsum()])
    return along - along[STEPS // 2], across, depth


def teeth_of(neutral: Floats) -> Teeth:
    """Return the teeth behind the lips of a (478, 3) neutral face."""
    rows = []
    for row in (UPPER, LOWER):
        along, across, depth = arch(row)
        # The edges rise towards the back, as the lips do.
        edge = row.edge_mm - 2.0 * (across / row.half_width_mm) ** 2
        for reach in (0.0, GUM_REACH):
            positions = np.stack([across, edge + reach * row.neck_mm, depth + row.setback_mm], 1)
            rows.append((positions, np.stack([along, depth, np.full(len(along), reach)], 1)))
    positions, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    corners = np.array([[0, 1, STEPS + 1], [1, STEPS + 2, STEPS + 1]])
    strip = (np.arange(STEPS)[:, None, None] + corners).reshape(-1, 3)
    return Teeth(
        vertices=(neutral[[UPPER_LIP, LOWER_LIP]].mean(0) + MM * positions).astype(np.float32),
        values=values.astype(np.float32),
        triangles=np.concatenate([strip, strip + 2 * (STEPS + 1)]).astype(np.int32),
    )


def across_tooth(along: Floats, row: Row) -> Floats:
    """Return (N,) positions across a tooth, from -1 to 1 at its seams, of (N,) positions along the arch."""
    ends = np.concatenate([[0.0], np.cumsum(row.widths_mm)])
    distance = np.abs(along)
    tooth = np.clip(np.searchsorted(ends, distance, side="right") - 1, 0, len(row.widths_mm) - 1)
    return np.asarray(2 * (distance - ends[tooth]) / np.array(row.widths_mm)[tooth] - 1)


def jaw_shift(points: Floats, neutral: Floats) -> Floats:
    """Return (3,), the displacement of the jaw of (478, 3) points from a neutral face, both without pose."""
    shift = (points[JAW] - neutral[JAW]).mean(0)
    # The skin of the chin moves less than the bone below it, so the jaw drops at least so far that the lower lip leaves
    # no more than MAX_BARE_MM of the teeth visible.
    min_drop = points[LOWER_LIP, 1] - neutral[[UPPER_LIP, LOWER_LIP], 1].mean() - MM * (LOWER.edge_mm + MAX_BARE_MM)
    return np.array([0.5 * shift[0], max(0.0, shift[1], min_drop), shift[2]])
