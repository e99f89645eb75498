"""Parts of editing shared by all motion spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.face.pose import angles_of, rotation_of
from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]


def turned_angles(
    coefficients: Coefficients, values: Mapping[str, Floats], senses: NDArray[Any] | None = None
) -> Floats:
    """Return (T, 3) angles turned by the sliders pitch, yaw and roll, (T,) each in degrees.

    `senses` (3,) are signs from our axes (`facepipe.face.pose`) to those of the space.
    """
    zero = np.zeros(len(coefficients))
    turn = np.radians(np.stack([values.get(name, zero) for name in ("pitch", "yaw", "roll")], axis=1))
    if not turn.any():
        return coefficients.angles
    if senses is not None:
        turn = turn * senses
    # In the picture's frame, so that --yaw turns about the vertical whatever the head's own pitch.
    return angles_of(rotation_of(turn) @ rotation_of(coefficients.angles))
