"""The place in a portrait of each point of an avatar's face, by landmarks that both have."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RBFInterpolator

from facepipe.avatar.avatar import Avatar
from facepipe.creation.landmarks import LANDMARKS, Points, landmarks_of
from facepipe.errors import InputError
from facepipe.face import topology as at

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
    known, there = landmarks_of(avatar, points)
    warp = RBFInterpolator(known[:, :2], there, kernel="thin_plate_spline", smoothing=SMOOTHING)
    places: Points = warp(avatar.head.vertices[:, :2].astype(np.float64))
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
