"""Pieces that are added to the shell of a hair style: buns, tails, braids, dreadlocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.assets.skull import noise, skull_of
from facepipe.avatar.assets.surface import Draft, ball, draft, merge, tube
from facepipe.avatar.template import Template

Numbers = NDArray[np.floating[Any]]
Piece = Callable[[Template], Draft]
PATH_POINTS = 26
LOCK_CLEARANCE = 0.03


@dataclass(frozen=True)
class Bun:
    """A ball of hair."""

    azimuth: float
    elevation: float
    radius: float
    """Decimetres."""

    def __call__(self, template: Template) -> Draft:
        """Return the bun on a template."""
        tie = _tie(template, self.azimuth, self.elevation, 0.08)
        away = (tie - _tie(template, self.azimuth, self.elevation, 0.0)) / 0.08
        centre = tie + away * self.radius * 0.8
        vertices, triangles = ball(
            centre, np.array([self.radius, self.radius * 0.92, self.radius]), rows=18, columns=28
        )
        offset = vertices - centre
        # Strands wind around the bun.
        turn = np.arctan2(offset @ _across(away)[0], offset @ _across(away)[1])
        depth = offset @ away / self.radius
        wind = np.abs(np.sin(4 * depth + 1.5 * turn))
        vertices = centre + offset * (0.95 + 0.07 * wind)[:, None]
        return draft(vertices, triangles, shades=0.88 + 0.16 * wind, clearance=0.02, anchors=tie)


@dataclass(frozen=True)
class Tail:
    """A tube of hair from a tie: out, then down."""

    azimuth: float
    elevation: float
    length: float
    """Decimetres."""
    radius: float = 0.16
    out: float = 0.35
    """How far it stands out before it falls, decimetres."""
    braid: float = 0.0
    """Depth of the bulges of a braid, as a fraction of the radius."""
    waves: float = 0.0
    seed: int = 1

    def __call__(self, template: Template) -> Draft:
        """Return the tail on a template."""
        tie = _tie(template, self.azimuth, self.elevation, 0.05)
        away = (tie - _tie(template, self.azimuth, self.elevation, 0.0)) / 0.05
        share = np.linspace(0, 1, PATH_POINTS)
        leave = self.out * (1 - np.exp(-5 * share))
        path = tie + leave[:, None] * away - (self.length * share**1.6)[:, None] * np.array([0, 1.0, 0])
        # A tail that is tied high falls behind the head.
        level = np.array([np.sin(np.radians(self.azimuth)), 0, np.cos(np.radians(self.azimuth))])
        path = path + level * (0.85 * max(away[1], 0.0) * (1 - np.exp(-4 * share)))[:, None]
        sway = self.waves * np.sin(9 * share + self.seed)
        path = path + sway[:, None] * _across(away)[0]
        radii = self.radius * np.clip(0.45 + 2.2 * share, 0, 1) * (1 - 0.75 * share**4)
        if self.braid:
            radii = radii * (1 - self.braid * 0.5 + self.braid * np.abs(np.sin(share * self.length * 9)))
        vertices, triangles = tube(path, radii, sides=14, flat=1.15)
        shades = _strand_shades(len(vertices), self.seed)
        return draft(vertices, triangles, shades=shades, clearance=LOCK_CLEARANCE, anchors=tie)


@dataclass(frozen=True)
class Locks:
    """Many thin tubes that grow all over the scalp and fall: dreadlocks."""

    ends: float
    """Height of the ends, decimetres."""
    radius: float = 0.055
    rows: Sequence[tuple[float, int]] = ((68.0, 9), (48.0, 16), (28.0, 20), (8.0, 18))
    """Elevation in degrees, and number of locks, of each row."""

    def __call__(self, template: Template) -> Draft:
        """Return the locks on a template."""
        tubes = []
        for row, (elevation, count) in enumerate(self.rows):
            for number in range(count):
                azimuth = (number + 0.5 * (row % 2) + 0.5) * 360 / count - 180
                if abs(azimuth) < (66 if elevation < 50 else 32):
                    continue
                tubes.append(self._lock(template, azimuth, elevation, row * 31 + number))
        return merge(tubes)

    def _lock(self, template: Template, azimuth: float, elevation: float, seed: int) -> Draft:
        skull = skull_of(template)
        tie = _tie(template, azimuth, elevation, 0.02)
        down = np.linspace(elevation, -12.0, 9)
        over = skull.places(np.full(9, azimuth), down, 0.06 + 0.03 * np.arange(9) / 8)
        ends = self.ends + 0.15 * float(noise(np.array([seed * 1.7]), 5)[0])
        fall = np.linspace(0, max(over[-1][1] - ends, 0.2), 9)[1:]
        path = np.concatenate([over, over[-1] - fall[:, None] * np.array([0, 1.0, 0])])
        radii = np.full(len(path), self.radius) * (1 + 0.12 * np.sin(np.arange(len(path)) * 2.4 + seed))
        vertices, triangles = tube(path, radii, sides=6)
        shades = np.full(len(vertices), 0.92 + 0.14 * float(noise(np.array([seed * 0.9]), 9)[0]))
        return draft(vertices, triangles, shades=shades, clearance=0.02, anchors=tie)


def _tie(template: Template, azimuth: float, elevation: float, height: float) -> Numbers:
    place: Numbers = skull_of(template).places(np.array(azimuth), np.array(elevation), height)
    return place


def _across(away: Numbers) -> tuple[Numbers, Numbers]:
    """Return two unit vectors across a unit vector; the first is level."""
    level = np.cross(np.array([0, 1.0, 0]), away)
    if np.linalg.norm(level) < 1e-3:
        level = np.array([1.0, 0, 0])
    level = level / np.linalg.norm(level)
    return level, np.cross(away, level)


def _strand_shades(count: int, seed: int) -> Numbers:
    around = np.arange(count) % 14 * (2 * np.pi / 14)
    return 0.96 + 0.1 * noise(around, seed, 8)
