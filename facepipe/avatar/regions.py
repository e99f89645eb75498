"""Regions and landmarks of the skin, found on the base mesh by its charts and by what the shape targets move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Indices, Reals

Mask = NDArray[np.bool_]

REGIONS = (
    "face",
    "scalp",
    "forehead",
    "brow-left",
    "brow-right",
    "lid-left",
    "lid-right",
    "nose",
    "cheek-left",
    "cheek-right",
    "lips",
    "upper-lip",
    "chin",
    "jaw",
    "ear-left",
    "ear-right",
    "neck",
    "mouth-cavity",
    "socket-left",
    "socket-right",
)
"""Left and right are the avatar's. "upper-lip" is the skin between nose and mouth, "lips" the red of both lips, "lid"
the skin of both lids of an eye, "jaw" what a full beard covers beside chin and upper lip, "scalp" what hair covers,
"face" all that the head's front shows, from hairline to chin and ear to ear."""

LANDMARKS = (
    "crown",
    "hairline",
    "nape",
    "forehead",
    "temple-left",
    "temple-right",
    "brow-inner-left",
    "brow-inner-right",
    "brow-outer-left",
    "brow-outer-right",
    "eye-inner-left",
    "eye-inner-right",
    "eye-outer-left",
    "eye-outer-right",
    "nose-bridge",
    "nose-tip",
    "nose-base",
    "cheek-left",
    "cheek-right",
    "mouth-left",
    "mouth-right",
    "lip-top",
    "lip-bottom",
    "chin-front",
    "chin-tip",
    "jaw-left",
    "jaw-right",
    "ear-top-left",
    "ear-top-right",
    "ear-front-left",
    "ear-front-right",
    "ear-lobe-left",
    "ear-lobe-right",
    "throat",
)
""""ear-top" is where temples of glasses rest, "ear-front" where they meet the head."""

HAIRLINE = np.array(
    [
        [0, 8.02],
        [25, 8.0],
        [45, 7.86],
        [60, 7.6],
        [72, 7.36],
        [80, 7.2],
        [92, 7.2],
        [100, 7.1],
        [112, 6.85],
        [135, 6.72],
        [180, 6.7],
    ]
)
"""Degrees from the front about the axis of the skull, and the height of the hairline there, decimetres."""
SKULL = np.array([0.0, 7.4, 0.35])
"""A place on the axis of the skull, decimetres."""

LIP_RINGS = 6
"""Edges from the rim of the mouth to the border of the red of the lips."""

Moved = Callable[[str], Reals]
"""Returns how far (N,) a shape target moves each vertex of the skin, relative to the vertex that it moves furthest."""


def find_regions(
    vertices: Reals, charts: Mapping[str, Mask], rings: Mapping[str, Indices], moved: Moved
) -> dict[str, Indices]:
    """Return vertices by name of region, for the skin (N, 3) of the base mesh, its charts (N,) and rings (N,)."""
    x, y, z = vertices.T
    inside = charts["mouth-cavity"] | charts["socket-left"] | charts["socket-right"]
    left, outer = x > 0, ~inside
    masks: dict[str, Mask] = dict(charts)
    for side, mine in (("left", left), ("right", ~left)):
        letter = side[0]
        masks[f"ear-{side}"] = outer & mine & (moved(f"ears/{letter}-ear-wing-incr") > 0.15)
        masks[f"brow-{side}"] = outer & mine & _box(vertices, (0.06, 0.62), (7.38, 7.6), 1.0)
        masks[f"lid-{side}"] = outer & mine & _box(vertices, (0.1, 0.52), (7.12, 7.44), 1.1)
        masks[f"cheek-{side}"] = outer & mine & (moved(f"cheek/{letter}-cheek-volume-incr") > 0.3)
    ears = masks["ear-left"] | masks["ear-right"]
    head = outer & charts["head"] & ~ears
    line = hairline(vertices)
    masks["scalp"] = head & (y > line)
    masks["face"] = head & (y < line + 0.05) & (azimuth(vertices) < 85) & (y > 6.1) & ~((z < 1.1) & (y < 6.4))
    masks["forehead"] = masks["face"] & (y > 7.5)
    masks["nose"] = outer & (moved("nose/nose-volume-incr") > 0.25)
    masks["lips"] = outer & (rings["mouth"] <= LIP_RINGS)
    masks["upper-lip"] = head & ~masks["lips"] & _box(vertices, (0, 0.36), (6.68, 6.92), 1.2)
    masks["chin"] = head & ~masks["lips"] & _box(vertices, (0, 0.34), (6.1, 6.56), 0.9)
    masks["jaw"] = (
        head & (y < 7.15) & (y > 6.1) & (azimuth(vertices) < 88) & (z > 0.3) & ~masks["nose"] & ~masks["lips"]
    )
    masks["neck"] = outer & (y < 6.5) & ~masks["chin"] & ~masks["jaw"] & ~ears
    return {name: np.flatnonzero(masks[name]).astype(np.int32) for name in REGIONS}


def azimuth(vertices: Reals) -> Reals:
    """Return degrees (N,) from the front, 0 to 180, about the upright axis through SKULL."""
    angle: Reals = np.degrees(np.abs(np.arctan2(vertices[:, 0], vertices[:, 2] - SKULL[2])))
    return angle


def hairline(vertices: Reals) -> Reals:
    """Return the height (N,) of the natural hairline of the base mesh in the direction of each vertex, decimetres."""
    line: Reals = np.interp(azimuth(vertices), HAIRLINE[:, 0], HAIRLINE[:, 1])
    return line


def _box(vertices: Reals, width: tuple[float, float], height: tuple[float, float], depth: float) -> Mask:
    """Return which vertices lie in bounds of |x| and of y, and in front of z = depth."""
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    mask: Mask = (x >= width[0]) & (x < width[1]) & (y >= height[0]) & (y < height[1]) & (z > depth)
    return mask


def find_landmarks(vertices: Reals, regions: Mapping[str, Indices]) -> dict[str, int]:
    """Return the vertex of each landmark, for the skin of the base mesh (N, 3)."""
    mids = np.flatnonzero(np.abs(vertices[:, 0]) < 1e-3)
    inside = np.concatenate([regions["mouth-cavity"], regions["socket-left"], regions["socket-right"]])
    mids = np.setdiff1d(mids, inside)
    found = {name: _nearest(vertices, mids, place) for name, place in _MIDDLE.items()}
    found["nose-tip"] = _furthest(vertices, np.intersect1d(mids, regions["nose"]), (0, 0, 1))
    found["crown"] = _furthest(vertices, mids, (0, 1, 0))
    for side, sign in (("left", 1), ("right", -1)):
        outer = np.setdiff1d(np.arange(len(vertices)), inside)
        for name, (x, y, z) in _SIDES.items():
            found[f"{name}-{side}"] = _nearest(vertices, outer, (sign * x, y, z))
        ear = regions[f"ear-{side}"]
        found[f"ear-lobe-{side}"] = _furthest(vertices, ear, (0, -1, 0))
        found[f"ear-top-{side}"] = _furthest(vertices, ear, (0, 1, 0))
    return {name: found[name] for name in LANDMARKS}


def _nearest(vertices: Reals, among: NDArray[np.integer[Any]], place: tuple[float, float, float]) -> int:
    return int(among[np.linalg.norm(vertices[among] - np.array(place), axis=1).argmin()])


def _furthest(vertices: Reals, among: NDArray[np.integer[Any]], direction: tuple[float, float, float]) -> int:
    return int(among[(vertices[among] @ np.array(direction)).argmax()])


_MIDDLE = {
    "hairline": (0, 8.02, 1.2),
    "nape": (0, 6.7, -0.4),
    "forehead": (0, 7.8, 1.45),
    "nose-bridge": (0, 7.27, 1.5),
    "nose-base": (0, 6.88, 1.55),
    "lip-top": (0, 6.75, 1.6),
    "lip-bottom": (0, 6.55, 1.55),
    "chin-front": (0, 6.33, 1.55),
    "chin-tip": (0, 6.18, 1.4),
    "throat": (0, 5.9, 0.7),
}
_SIDES = {
    "temple": (0.78, 7.5, 0.9),
    "brow-inner": (0.12, 7.45, 1.5),
    "brow-outer": (0.55, 7.46, 1.25),
    "eye-inner": (0.16, 7.25, 1.36),
    "eye-outer": (0.47, 7.27, 1.3),
    "cheek": (0.45, 6.95, 1.3),
    "mouth": (0.25, 6.63, 1.4),
    "jaw": (0.65, 6.55, 0.7),
    "ear-front": (0.72, 7.25, 0.66),
}
