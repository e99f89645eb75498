"""The outline of a head in its crop: where the face reaches, and whether it is inside the picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology
from facepipe.face.model import FaceModel
from facepipe.face.pose import rotation_of
from facepipe.models.rows import row_product
from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]

OUTLINE = (*topology.FACE_OVAL, topology.NOSE_TIP)


class Reach(NamedTuple):
    """How far the face reaches from the model's origin, (T,) each, in the model's unit."""

    left: Floats
    right: Floats
    up: Floats
    down: Floats


def reach_of(coefficients: Coefficients, model: FaceModel) -> Reach:
    """Return how far the face reaches in each frame; in the space `linear478` only."""
    points, count = list(OUTLINE), len(coefficients)
    offsets = row_product(coefficients.expression, model.expression[:, points].reshape(len(model.expression), -1))
    shape = model.neutral(coefficients.identity)[0][points] + offsets.reshape(count, len(points), 3)
    turned = np.einsum("tnk,tdk->tnd", shape, rotation_of(coefficients.angles)[:, :2])
    low, high = turned.min(1), turned.max(1)
    return Reach(-low[:, 0], high[:, 0], -low[:, 1], high[:, 1])


def largest_size(reach: Reach) -> Floats:
    """Return (T,) the logarithm of the largest unit with which the face fits the crop, in half sides."""
    return np.asarray(np.log(2 / np.maximum(reach.left + reach.right, reach.up + reach.down)))


def room_of(reach: Reach, unit: Floats) -> tuple[Floats, Floats]:
    """Return (T, 2) each: the lowest and the highest x and y of the origin with the whole face in the crop.

    Positions and the unit (T,) are in half sides of the crop, as `Coefficients.translation`.
    """
    low = np.stack([reach.left * unit - 1, reach.up * unit - 1], axis=1)
    high = np.stack([1 - reach.right * unit, 1 - reach.down * unit], axis=1)
    return low, high


def outside_of(coefficients: Coefficients, model: FaceModel) -> NDArray[np.bool_]:
    """Return (T,) whether part of the face is outside of the crop; in the space `linear478` only."""
    low, high = room_of(reach_of(coefficients, model), np.exp(coefficients.translation[:, 2]))
    place, tolerance = coefficients.translation[:, :2], 1e-6
    return np.asarray(((place < low - tolerance) | (place > high + tolerance)).any(1))
