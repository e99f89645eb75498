"""Directions of the eyes: from the irises, and to and from the eight face units that look.

A gaze is (T, 2, 2): left and right eye, yaw and pitch of each relative to the head, in radians, with the senses of
`facepipe.face.pose`: positive yaw looks to the subject's right (the left of the picture), positive pitch down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.units import UNITS
from facepipe.face import topology as at
from facepipe.face.model import FaceModel
from facepipe.models.rows import row_product

Floats = NDArray[np.floating]
# Radius of the eyeball in outer-eye distances: 12 mm of 90 mm.
EYE_RADIUS = 0.133
# Turn of an eye at which its unit has the weight 1.
FULL_LOOK_RADIANS = 0.5
_IRISES = (at.LEFT_IRIS, at.RIGHT_IRIS)
_CORNERS = ((at.LEFT_EYE_INNER, at.LEFT_EYE_OUTER), (at.RIGHT_EYE_INNER, at.RIGHT_EYE_OUTER))
# Eye, angle (yaw, pitch) and its sign for each unit that looks.
_LOOKS = {
    "eyeLookOutLeft": (0, 0, -1),
    "eyeLookInLeft": (0, 0, 1),
    "eyeLookUpLeft": (0, 1, -1),
    "eyeLookDownLeft": (0, 1, 1),
    "eyeLookOutRight": (1, 0, 1),
    "eyeLookInRight": (1, 0, -1),
    "eyeLookUpRight": (1, 1, -1),
    "eyeLookDownRight": (1, 1, 1),
}
LOOKING = tuple(UNITS.index(name) for name in _LOOKS)
"""Numbers of the units that look."""


def gaze_of(expression: Floats, model: FaceModel) -> Floats:
    """Return the gazes (T, 2, 2) of (T, 64) expressions: how far the irises are from their place at rest."""
    moves = np.stack(
        [
            model.expression[:, list(iris), :2].mean(1) - model.expression[:, list(corners), :2].mean(1)
            for iris, corners in zip(_IRISES, _CORNERS, strict=True)
        ],
        axis=1,
    )
    turned = np.arcsin(np.clip(row_product(expression, moves.reshape(len(moves), -1)) / EYE_RADIUS, -1, 1))
    return np.asarray(turned.reshape(-1, 2, 2) * (-1, 1))


def looks_of(gaze: Floats) -> Floats:
    """Return the weights (T, 8), from 0 to 1, of the units LOOKING for gazes (T, 2, 2)."""
    looks = [sign * gaze[:, eye, angle] for eye, angle, sign in _LOOKS.values()]
    return np.asarray(np.clip(np.stack(looks, axis=1) / FULL_LOOK_RADIANS, 0, 1))


def gaze_of_looks(looks: Floats) -> Floats:
    """Return the gazes (T, 2, 2) of weights (T, 8) of the units LOOKING."""
    gaze = np.zeros((len(looks), 2, 2))
    for (eye, angle, sign), weight in zip(_LOOKS.values(), looks.T, strict=True):
        gaze[:, eye, angle] += sign * FULL_LOOK_RADIANS * weight
    return gaze
