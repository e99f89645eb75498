"""Landmarks that an avatar's face and a portrait have both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.avatar import Avatar
from facepipe.avatar.closing import LIP_RING, Rim, rim_of
from facepipe.avatar.mesh import Floats
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


class Landmarks(NamedTuple):
    """The same K places of an avatar and of a portrait. In each, the last ones are the line between the lips."""

    avatar: Points
    """(K, 3), decimetres."""
    portrait: Points
    """(K, 2), pixels. The lips of an open mouth meet half way."""


def landmarks_of(avatar: Avatar, points: Points, without: Collection[str] = ()) -> Landmarks:
    """Return the landmarks of an avatar and of a portrait with points (478, 2), `without` those of some names."""
    known: list[Points] = []
    there: list[Points] = []
    for name, number in LANDMARKS.items():
        if name not in without:
            known.append(avatar.head.point(name)[None].astype(np.float64))
            there.append(points[number][None])
    template, vertices = avatar.head.template, avatar.head.vertices
    for side, edges in LIDS.items():
        rim = avatar.rig.lids[side].rim
        for edge, contour in zip(("upper", "lower"), edges, strict=True):
            # The corners belong to both edges.
            shares = SHARES if edge == "upper" else SHARES[1:-1]
            known.append(_edge(rim, edge, vertices, shares))
            there.append(_contour(points, contour, shares))
    known.append(_edge(rim_of(template, "mouth", LIP_RING), "upper", vertices, SHARES))
    upper, lower = inner_lips(points)
    there.append((upper + lower) / 2)
    return Landmarks(np.concatenate(known), np.concatenate(there))


def inner_lips(points: Points) -> tuple[Points, Points]:
    """Return places (K, 2) along the inner edges of the upper and the lower lip of points (478, 2)."""
    upper, lower = (78, *at.LIP_INNER_UPPER, 308), (78, *at.LIP_INNER_LOWER, 308)
    return _contour(points, upper, SHARES), _contour(points, lower, SHARES)


def _edge(rim: Rim, edge: str, vertices: Floats, shares: Points) -> Points:
    return rim.along(edge, vertices, shares.astype(np.float32)).astype(np.float64)


def _contour(points: Points, contour: Sequence[int], shares: Points) -> Points:
    """Return places (K, 2) along a contour at shares of its way from corner to corner, as those of a Rim are."""
    places = points[list(contour)]
    way = places[-1] - places[0]
    along = np.maximum.accumulate((places - places[0]) @ way / (way @ way))
    return np.stack([np.interp(shares, along, places[:, axis]) for axis in range(2)], axis=1)
