"""Areas of a face in a picture, by the 68 points of 300-W, alike for portraits and avatars."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

CHEEKS = ((40, 41, 36, 2, 3, 4, 48, 31), (47, 46, 45, 14, 13, 12, 54, 35))
CHEEK_SHARE = 0.62
"""Size of a cheek's area, as a fraction of its outline: away from lids, beard and the shaded side."""
CHEEK_LIFT = 0.08
"""By how much of its height that area is raised, away from the mouth's folds and the beard."""
FOREHEAD_RISE = (0.22, 0.62)
"""Lower and upper edge of the forehead's area above the brows, in distances between the eyes."""
BROW_HEIGHTS = (-0.05, 0.10)
"""Edges of a brow below and above its line, in the same unit."""
LIPS, OPENING = tuple(range(48, 60)), tuple(range(60, 68))
BROWS = ((17, 18, 19, 20, 21), (22, 23, 24, 25, 26))


def cheeks(points: Doubles, side: int) -> Mask:
    """Return the cheeks (S, S) of a face with points (68, 2 or more), in pixels of a picture S wide."""
    outlines = []
    for numbers in CHEEKS:
        outline = points[list(numbers), :2]
        middle = outline.mean(axis=0)
        lift = np.array([0.0, CHEEK_LIFT * np.ptp(outline[:, 1])])
        outlines.append(middle - lift + CHEEK_SHARE * (outline - middle))
    return filled(outlines, side)


def forehead(points: Doubles, side: int) -> Mask:
    """Return the middle of the forehead above the brows."""
    line = points[18:26, :2]
    up = _up(points)
    low, high = FOREHEAD_RISE
    return filled([np.concatenate([line + low * up, (line + high * up)[::-1]])], side)


def brows(points: Doubles, side: int) -> Mask:
    """Return the brows."""
    low, high = BROW_HEIGHTS
    up = _up(points)
    lines = [points[list(numbers), :2] for numbers in BROWS]
    return filled([np.concatenate([line + low * up, (line + high * up)[::-1]]) for line in lines], side)


def lips(points: Doubles, side: int) -> Mask:
    """Return the red of the lips without the opening of the mouth."""
    return filled([points[list(LIPS), :2]], side) & ~filled([points[list(OPENING), :2]], side)


def face(points: Doubles, side: int) -> Mask:
    """Return what lies between jaw and brows."""
    return filled([np.concatenate([points[:17, :2], points[26:16:-1, :2]])], side)


def upper(points: Doubles, side: int) -> Mask:
    """Return all above the mouth, where hair is lit like the face."""
    rows = np.mgrid[:side, :side][0]
    above: Mask = rows < points[[48, 54], 1].mean()
    return above


def eye_distance(points: Doubles) -> float:
    """Return the distance between the middles of the eyes."""
    right, left = points[36:42, :2].mean(axis=0), points[42:48, :2].mean(axis=0)
    return float(np.linalg.norm(left - right))


def _up(points: Doubles) -> Doubles:
    """Return the way (2,) up the face that is as long as the eyes are apart."""
    right, left = points[36:42, :2].mean(axis=0), points[42:48, :2].mean(axis=0)
    across = left - right
    return np.array([across[1], -across[0]])


def filled(outlines: Sequence[NDArray[np.floating]], side: int) -> Mask:
    """Return the inside of outlines (K, 2) in a picture `side` pixels wide and high."""
    plane = np.zeros((side, side), np.uint8)
    for outline in outlines:
        cv2.fillPoly(plane, [np.rint(outline).astype(np.int32)], 1)
    return plane.astype(bool)
