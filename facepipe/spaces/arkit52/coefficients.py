"""Coefficients in the space `arkit52`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np

from facepipe.avatar.units import UNITS
from facepipe.face.cropping import SquareCrop
from facepipe.face.gaze import LOOKING, looks_of
from facepipe.face.model import EXPRESSION_COUNT, IDENTITY_COUNT
from facepipe.face.pose import rotation_of
from facepipe.spaces.arkit52 import SPACE
from facepipe.spaces.coefficients import Coefficients, Floats

# The picture of a face without one: the model's unit is a quarter of its side, as in crops of faces.
PICTURE_PIXELS, RESTING_SIZE = 512, float(np.log(0.5))


@dataclass(frozen=True, kw_only=True)
class UnitCoefficients(Coefficients):
    """Coefficients of T frames in the space `arkit52`: those of `linear478`, and what moves an avatar.

    Weights are clipped to their range, and those of the eight units that look are set to those of the gaze.
    """

    weights: Floats
    """(T, 52) from 0 to 1, in the order of `facepipe.avatar.units.UNITS`, measured from the person's face at rest."""
    gaze: Floats
    """(T, 2, 2) left and right eye, yaw and pitch of each in radians (`facepipe.face.gaze`)."""
    space_name: str = SPACE.name

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = np.clip(np.asarray(self.weights, float), 0, 1)
        weights[:, LOOKING] = looks_of(self.gaze)
        object.__setattr__(self, "weights", weights)

    @property
    def rotation(self) -> Floats:
        """Return the (T, 3, 3) rotations of the head; axes in `facepipe.face.pose`."""
        return rotation_of(self.angles)


def with_units(coefficients: Coefficients, weights: Floats, gaze: Floats) -> UnitCoefficients:
    """Return coefficients in a linear space with (T, 52) weights and (T, 2, 2) gazes."""
    own = {one.name: getattr(coefficients, one.name) for one in fields(Coefficients) if one.name != "space_name"}
    return UnitCoefficients(**own, weights=weights, gaze=np.asarray(gaze, float))


def resting(count: int, fps: Fraction = Fraction(25), *, side_pixels: int = PICTURE_PIXELS) -> UnitCoefficients:
    """Return `count` frames of the mean face at rest, in the middle of its picture: an avatar that does not move."""
    middle = (side_pixels - 1) / 2
    return UnitCoefficients(
        identity=np.zeros(IDENTITY_COUNT),
        expression=np.zeros((count, EXPRESSION_COUNT)),
        angles=np.zeros((count, 3)),
        translation=np.tile((0.0, 0.0, RESTING_SIZE), (count, 1)),
        valid=np.ones(count, bool),
        residual=np.zeros(count),
        fps=fps,
        crop=SquareCrop(middle, middle, float(side_pixels)),
        picture_size=(side_pixels, side_pixels),
        weights=np.zeros((count, len(UNITS))),
        gaze=np.zeros((count, 2, 2)),
    )
