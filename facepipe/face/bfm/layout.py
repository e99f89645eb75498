"""Layout of the 257 coefficients of a frame."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

COUNT = 257
#: Slice of each group within the 257.
GROUPS = {
    "identity": slice(0, 80),
    "expression": slice(80, 144),
    "texture": slice(144, 224),
    "angles": slice(224, 227),
    "lighting": slice(227, 254),
    "translation": slice(254, 257),
}


@dataclass(frozen=True)
class Row:
    """The 257 coefficients of T frames by group."""

    identity: Floats
    """(T, 80)"""
    expression: Floats
    """(T, 64)"""
    texture: Floats
    """(T, 80)"""
    angles: Floats
    """(T, 3) pitch, yaw, roll in radians: positive pitch looks down, yaw turns the nose to the picture's right, and
    roll tilts the head counter-clockwise."""
    lighting: Floats
    """(T, 27) spherical harmonics: nine for red, nine for green, nine for blue."""
    translation: Floats
    """(T, 3) right, up, towards the camera, in decimetres, relative to the aligned square."""

    def joined(self) -> Floats:
        """Return the groups as (T, 257) coefficients."""
        return np.concatenate([getattr(self, one.name) for one in fields(Row)], axis=1)


def split(coefficients: Floats) -> Row:
    """Split (T, 257) coefficients into groups. Raises ValueError for any other shape."""
    if coefficients.ndim != 2 or coefficients.shape[1] != COUNT:
        raise ValueError(f"got coefficients of shape {coefficients.shape}, expected (T, {COUNT})")
    return Row(**{name: coefficients[:, where] for name, where in GROUPS.items()})
