"""Descriptor windows: PIRenderer's motion input for a frame.

A row is the motion of one frame in 73 channels: expression 64, angles 3 (radians), translation 3, crop 3. A window
contains 27 rows centred on its frame, channels first, oldest row first; the first and last rows of the clip repeat
beyond its ends, as those of a shot do at cuts. Values are not normalised. In the space `bfm` the crop is (scale, x, y):
the factor by which the frame was scaled before the coefficients were estimated, and the position of the model's origin
in pixels of the 256-pixel frame, with y upwards from the bottom row.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

RADIUS = 13
FRAMES = 2 * RADIUS + 1
EXPRESSION, ANGLES, TRANSLATION, CROP = slice(0, 64), slice(64, 67), slice(67, 70), slice(70, 73)
SCALE = CROP.start
# Expression, angles and translation in the 257 coefficients of Deep3DFaceRecon.
MOTION_OF_257 = (slice(80, 144), slice(224, 227), slice(254, 257))
# Weights of expression and angles in the distance between two frames.
EXPRESSION_WEIGHT, ANGLES_WEIGHT = 0.3, 0.7

CropRule = Literal["driver", "adapt", "source"]
Floats = NDArray[np.floating]


def rows_of_257(coefficients: Floats, crops: Floats) -> Floats:
    """Return (T, 73) rows from (T, 257) coefficients in Deep3DFaceRecon's order and their (T, 3) crops.

    Raises ValueError for other shapes.
    """
    if coefficients.shape != (len(coefficients), 257) or crops.shape != (len(coefficients), 3):
        raise ValueError(f"got coefficients {coefficients.shape} and crops {crops.shape}, expected (T, 257) and (T, 3)")
    return np.concatenate([*(coefficients[:, part] for part in MOTION_OF_257), crops], axis=1)


def windows(rows: Floats, first: int = 0, end: int | None = None, shot: NDArray[np.integer] | None = None) -> Floats:
    """Return windows (end - first, 73, 27) of frames `first` to `end` (exclusive) from the (T, 73) rows of a clip.

    With `shot`, ascending numbers (T,), a window does not extend beyond the shot of its frame.
    """
    frames, numbers = np.arange(first, len(rows) if end is None else end), np.zeros(len(rows)) if shot is None else shot
    opens, ends = (np.searchsorted(numbers, numbers[frames], side=side)[:, None] for side in ("left", "right"))
    index = np.clip(frames[:, None] + np.arange(-RADIUS, RADIUS + 1), opens, ends - 1)
    return np.ascontiguousarray(rows[index].transpose(0, 2, 1))


def scale_factor(source: Floats, driving: Floats) -> float:
    """Return the factor that converts the crop scales of the driver to those of the source.

    `source` is one row (73,), `driving` is (T, 73). The factor is the ratio of scales at the driving frame closest to
    the source in expression and angles (PIRenderer's rule for two people).
    """
    difference = np.abs(driving - source)
    expression, angles = difference[:, EXPRESSION].mean(axis=1), difference[:, ANGLES].mean(axis=1)
    distance = EXPRESSION_WEIGHT * expression + ANGLES_WEIGHT * angles
    return float(source[SCALE] / driving[np.argmin(distance), SCALE])


def with_crop(source: Floats, driving: Floats, rule: CropRule) -> Floats:
    """Return driving rows (T, 73) with the crop replaced according to `rule`; `source` is one row (73,).

    driver keeps the crops, adapt multiplies their scales by `scale_factor`, source uses the source's crop throughout.
    """
    rows = driving.copy()
    if rule == "adapt":
        rows[:, SCALE] *= scale_factor(source, driving)
    elif rule == "source":
        rows[:, CROP] = source[CROP]
    return rows
