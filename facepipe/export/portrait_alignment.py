"""The place in a portrait of each point of an avatar's face, by landmarks that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from facepipe.avatar.avatar import Avatar
from facepipe.avatar.closing import LIP_RING, Rim, rim_of
from facepipe.avatar.mesh import Floats
from facepipe.errors import InputError
from facepipe.face import topology as at

Points = NDArray[np.float64]
LANDMARKS: Mapping[str, int] = {
    "hairline": at.FOREHEAD,
    "temple-right": 162,
    "temple-left": 389,
    "ear-front-right": 127,
    "ear-front-left": 356,
    "jaw-right": 172,
    "jaw-left": 397,
    "brow-outer-right": 71,
    "brow-inner-right": 107,
    "brow-inner-left": 336,
    "brow-outer-left": 301,
    "nose-bridge": 168,
    "nose-tip": at.NOSE_TIP,
    "nose-base": 2,
    "lip-top": 0,
    "lip-bottom": 17,
    "chin-tip": at.CHIN,
}
"""Points of the 478-point mesh by landmark of the avatar's template."""
LIDS = {
    "right": (
        (at.RIGHT_EYE_OUTER, *at.RIGHT_LID_UPPER, at.RIGHT_EYE_INNER),
        (at.RIGHT_EYE_OUTER, *at.RIGHT_LID_LOWER, at.RIGHT_EYE_INNER),
    ),
    "left": (
        (at.LEFT_EYE_INNER, *reversed(at.LEFT_LID_UPPER), at.LEFT_EYE_OUTER),
        (at.LEFT_EYE_INNER, *reversed(at.LEFT_LID_LOWER), at.LEFT_EYE_OUTER),
    ),
}
"""Upper and lower edge of each eye from its corner on the left of the picture to the other."""
SHARES = np.linspace(0, 1, 6)
SMOOTHING = 1e-3
MAX_RATIO = 3.0
"""Of the halves of a face, nose to ear, from which on the head is turned too far."""
MAX_GAP = 0.08
"""Of the inner lips, as a fraction of the mouth's width, from which on teeth may show."""


def portrait_places(avatar: Avatar, points: Points) -> Points:
    """Return the place (N, 2), in pixels, of each vertex of the skin in a portrait with points (478, 2 or more).

    A thin-plate spline through the landmarks, seen from the front. Raises InputError if the head is turned too far.
    """
    points = np.asarray(points, np.float64)[:, :2]
    _check_turn(points)
    known: list[Points] = []
    there: list[Points] = []
    for name, number in LANDMARKS.items():
        known.append(avatar.head.point(name)[None, :2].astype(np.float64))
        there.append(points[number][None])
    template, vertices = avatar.head.template, avatar.head.vertices
    for side, edges in LIDS.items():
        rim = avatar.rig.lids[side].rim
        for edge, contour in zip(("upper", "lower"), edges, strict=True):
            # The corners belong to both edges.
            shares = SHARES if edge == "upper" else SHARES[1:-1]
            known.append(_edge(rim, edge, vertices, shares))
            there.append(_contour(points, contour, shares))
    mouth = rim_of(template, "mouth", LIP_RING)
    upper = (78, *at.LIP_INNER_UPPER, 308)
    lower = (78, *at.LIP_INNER_LOWER, 308)
    known.append(_edge(mouth, "upper", vertices, SHARES))
    there.append((_contour(points, upper, SHARES) + _contour(points, lower, SHARES)) / 2)
    warp = RBFInterpolator(
        np.concatenate(known), np.concatenate(there), kernel="thin_plate_spline", smoothing=SMOOTHING
    )
    places: Points = warp(vertices[:, :2].astype(np.float64))
    return places


def shows_teeth(points: Points) -> bool:
    """Return whether the mouth of a portrait with points (478, 2 or more) may show teeth."""
    gap = np.linalg.norm(points[13, :2] - points[14, :2])
    return bool(gap > MAX_GAP * np.linalg.norm(points[at.MOUTH_LEFT, :2] - points[at.MOUTH_RIGHT, :2]))


def _check_turn(points: Points) -> None:
    right = np.linalg.norm(points[168] - points[LANDMARKS["ear-front-right"]])
    left = np.linalg.norm(points[168] - points[LANDMARKS["ear-front-left"]])
    if max(right, left) > MAX_RATIO * min(right, left):
        raise InputError("the head of the portrait is turned too far for a texture: give a picture from the front")


def _edge(rim: Rim, edge: str, vertices: Floats, shares: Points) -> Points:
    return rim.along(edge, vertices, shares.astype(np.float32))[:, :2].astype(np.float64)


def _contour(points: Points, contour: Sequence[int], shares: Points) -> Points:
    """Return places (K, 2) along a contour at shares of its way from corner to corner, as those of a Rim are."""
    places = points[list(contour)]
    way = places[-1] - places[0]
    along = np.maximum.accumulate((places - places[0]) @ way / (way @ way))
    return np.stack([np.interp(shares, along, places[:, axis]) for axis in range(2)], axis=1)
