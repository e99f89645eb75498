"""Linear measures of a canonical face (openings, widths, heights), from which the named controls are derived."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology as at

X, Y, Z = 0, 1, 2
RIGHT_BROW_INNER, RIGHT_BROW_OUTER = (107, 66, 55, 65), (70, 63, 46, 53)
LEFT_BROW_INNER, LEFT_BROW_OUTER = (336, 296, 285, 295), (300, 293, 276, 283)
RIGHT_CHEEK, LEFT_CHEEK = (117, 118, 101, 50, 205), (346, 347, 330, 280, 425)
NOSE_WINGS = (64, 294, 98, 327, 48, 278)
CHIN_POINTS = (152, 148, 377, 176, 400)

# A measure is a sum over (weight, axis, points): the mean coordinate of the points times the weight, in outer-eye
# distances.
Terms = tuple[tuple[float, int, tuple[int, ...]], ...]
MID_UPPER, MID_LOWER = (82, 13, 312), (87, 14, 317)
OUTER_UPPER, OUTER_LOWER = (37, 0, 267), (84, 17, 314)

MEASURES: dict[str, Terms] = {
    "jaw_open": ((1, Y, CHIN_POINTS),),
    "mouth_open": ((1, Y, MID_LOWER), (-1, Y, MID_UPPER)),
    "jaw_left": ((1, X, CHIN_POINTS),),
    "jaw_forward": ((-1, Z, CHIN_POINTS),),
    "smile": ((-0.5, Y, (61, 291)), (0.5, X, (291,)), (-0.5, X, (61,))),
    "frown": ((1, Y, (61, 291)), (-1, Y, (*MID_UPPER, *MID_LOWER))),
    "pucker": ((-0.7, X, (291,)), (0.7, X, (61,)), (-0.6, Z, (*OUTER_UPPER, *OUTER_LOWER))),
    "stretch": ((1, X, (291,)), (-1, X, (61,)), (0.5, Y, (61, 291))),
    "mouth_left": ((1, X, (61, 291, *OUTER_UPPER, *OUTER_LOWER)),),
    "upper_lip_raise": ((-1, Y, OUTER_UPPER),),
    "lower_lip_drop": ((1, Y, OUTER_LOWER), (-1, Y, CHIN_POINTS)),
    "lip_press": ((-1, Y, OUTER_LOWER), (1, Y, OUTER_UPPER)),
    "smile_left": ((0.7, X, (291,)), (-0.7, Y, (291,))),
    "smile_right": ((-0.7, X, (61,)), (-0.7, Y, (61,))),
    "nose_wrinkle": ((-1, Y, NOSE_WINGS),),
    "cheek_raise": ((-1, Y, (*RIGHT_CHEEK, *LEFT_CHEEK)),),
    "brow_raise": ((-1, Y, (*RIGHT_BROW_INNER, *RIGHT_BROW_OUTER, *LEFT_BROW_INNER, *LEFT_BROW_OUTER)),),
    "brow_raise_left": ((-1, Y, (*LEFT_BROW_INNER, *LEFT_BROW_OUTER)),),
    "brow_raise_right": ((-1, Y, (*RIGHT_BROW_INNER, *RIGHT_BROW_OUTER)),),
    "brow_raise_inner": ((-1, Y, (*RIGHT_BROW_INNER, *LEFT_BROW_INNER)), (1, Y, (*RIGHT_BROW_OUTER, *LEFT_BROW_OUTER))),
    "brow_frown": (
        (0.5, Y, (*RIGHT_BROW_INNER, *LEFT_BROW_INNER)),
        (0.7, X, RIGHT_BROW_INNER),
        (-0.7, X, LEFT_BROW_INNER),
    ),
    "blink_left": ((1, Y, at.LEFT_LID_UPPER[2:5]), (-1, Y, at.LEFT_LID_LOWER[2:5])),
    "blink_right": ((1, Y, at.RIGHT_LID_UPPER[2:5]), (-1, Y, at.RIGHT_LID_LOWER[2:5])),
    "squint": ((-1, Y, (*at.LEFT_LID_LOWER[1:6], *at.RIGHT_LID_LOWER[1:6])),),
    "gaze_left": ((1, X, (*at.LEFT_IRIS, *at.RIGHT_IRIS)),),
    "gaze_up": ((-1, Y, (*at.LEFT_IRIS, *at.RIGHT_IRIS)),),
}


def measure_rows(names: Sequence[str] = tuple(MEASURES)) -> NDArray[np.float64]:
    """Return (K, 478 * 3) rows; the product of a row with the flattened canonical points is a measure."""
    rows = np.zeros((len(names), at.POINT_COUNT, 3))
    for row, name in zip(rows, names, strict=True):
        for weight, axis, points in MEASURES[name]:
            row[list(points), axis] += weight / len(points)
    return rows.reshape(len(names), -1)
