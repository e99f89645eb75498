"""The skull: the template's skin without ears as a distance by direction, from which hair and hats grow."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from facepipe.avatar.regions import HAIRLINE, SKULL
from facepipe.avatar.template import Template

Numbers = NDArray[np.floating[Any]]
LOWEST_DEGREES = -45.0
"""Elevation down to which the skull is known."""
BRACKET = np.linspace(-40.0, 89.0, 130)


class Skull:
    """Distances of the skin from SKULL. Directions are an azimuth (0 front, 90 the avatar's left) and an elevation."""

    def __init__(self, template: Template) -> None:
        """Measure a template. Ears, sockets and the mouth are bridged."""
        hidden = ("ear-left", "ear-right", "socket-left", "socket-right", "mouth-cavity", "lips", "nose")
        kept = np.ones(len(template.vertices), bool)
        for region in hidden:
            kept[template.regions[region]] = False
        away = template.vertices[kept].astype(np.float64) - SKULL
        distances = np.linalg.norm(away, axis=1)
        elevation = np.degrees(np.arcsin(away[:, 1] / distances))
        azimuth = np.degrees(np.arctan2(away[:, 0], away[:, 2]))
        near = elevation > LOWEST_DEGREES - 15
        self._distance = LinearNDInterpolator(_chart(azimuth[near], elevation[near]), distances[near])

    def distance(self, azimuth: Numbers, elevation: Numbers) -> Numbers:
        """Return the distances of the surface from SKULL in directions in degrees, broadcast."""
        azimuth, elevation = np.broadcast_arrays(azimuth, np.maximum(elevation, LOWEST_DEGREES))
        found: Numbers = self._distance(_chart(azimuth, elevation))
        return found.reshape(azimuth.shape)

    def places(self, azimuth: Numbers, elevation: Numbers, height: Numbers | float = 0.0) -> Numbers:
        """Return places (..., 3) at a height, in decimetres, above the surface."""
        azimuth, elevation = np.broadcast_arrays(azimuth, elevation)
        reach = self.distance(azimuth, elevation) + height
        return SKULL + reach[..., None] * directions(azimuth, elevation)

    def elevation_at(self, azimuth: Numbers, y: Numbers) -> Numbers:
        """Return the elevation (A,) in degrees at which the surface in the direction `azimuth` has the height y."""
        heights = self.places(azimuth[:, None], BRACKET[None])[..., 1]
        return np.array([np.interp(wanted, row, BRACKET) for wanted, row in zip(y, heights, strict=True)])


def directions(azimuth: Numbers, elevation: Numbers) -> Numbers:
    """Return unit vectors (..., 3)."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.stack([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], axis=-1)


def natural_hairline(azimuth: Numbers) -> Numbers:
    """Return the height of the natural hairline in the directions `azimuth`, decimetres."""
    line: Numbers = np.interp(np.abs((azimuth + 180) % 360 - 180), HAIRLINE[:, 0], HAIRLINE[:, 1])
    return line


def _chart(azimuth: Numbers, elevation: Numbers) -> Numbers:
    """Return places (..., 2) in a chart of all directions, with the crown in the middle."""
    away, angle = 90 - elevation, np.radians(azimuth)
    return np.stack([away * np.sin(angle), away * np.cos(angle)], axis=-1)


_SKULLS: WeakKeyDictionary[Template, Skull] = WeakKeyDictionary()


def skull_of(template: Template) -> Skull:
    """Return the skull of a template; it is measured once."""
    if template not in _SKULLS:
        _SKULLS[template] = Skull(template)
    return _SKULLS[template]


@lru_cache
def sines(seed: int, count: int) -> Numbers:
    """Return (count, 3) amplitudes, frequencies and phases of a smooth periodic noise."""
    random = np.random.default_rng(seed)
    frequencies = np.arange(3, 3 + count) + random.integers(0, 3, count)
    return np.stack([1 / np.sqrt(np.arange(1, count + 1)), frequencies, random.uniform(0, 2 * np.pi, count)], axis=1)


def noise(angle: Numbers, seed: int, count: int = 12) -> Numbers:
    """Return a smooth noise in about [-1, 1] over angles in radians, of period 2 pi."""
    total = sum(a * np.sin(f * angle + p) for a, f, p in sines(seed, count))
    scaled: Numbers = np.asarray(total) / np.sqrt(np.log(count) + 1) / 1.4
    return scaled
