"""Descriptor windows: what PIRenderer is told of a frame's motion, in either basis.

A row holds the motion of one frame, 73 numbers: expression 64, angles 3 (radians), translation 3, crop 3. A window
holds 27 rows around its frame, channels first, oldest first; beyond the ends of the clip its first or last row goes on.
Nothing is normalised. In the basis `bfm` the crop is (scale, x, y): by how much the frame was scaled before the
coefficients were estimated, and where the model's origin lies in it, in pixels of the 256-pixel frame, y from the
bottom row upwards.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

RADIUS = 13
FRAMES = 2 * RADIUS + 1
CHANNELS = 73
EXPRESSION, ANGLES, TRANSLATION, CROP = slice(0, 64), slice(64, 67), slice(67, 70), slice(70, 73)
SCALE = CROP.start
# Where they stand among the 257 coefficients of Deep3DFaceRecon.
MOTION_OF_257 = (slice(80, 144), slice(224, 227), slice(254, 257))
# Shares of expression and angles in how alike two frames look.
EXPRESSION_SHARE, ANGLES_SHARE = 0.3, 0.7

CropRule = Literal["driver", "adapt", "source"]
Floats = NDArray[np.floating]


def rows_of_257(coefficients: Floats, crops: Floats) -> Floats:
    """Return (T, 73) rows of (T, 257) coefficients in Deep3DFaceRecon's order and their (T, 3) crops."""
    if coefficients.shape != (len(coefficients), 257) or crops.shape != (len(coefficients), 3):
        raise ValueError(f"got coefficients {coefficients.shape} and crops {crops.shape}, expected (T, 257) and (T, 3)")
    return np.concatenate([*(coefficients[:, part] for part in MOTION_OF_257), crops], axis=1)


def windows(rows: Floats, first: int = 0, end: int | None = None) -> Floats:
    """Return (end - first, 73, 27) windows of frames `first` up to `end`, left out, of a clip's (T, 73) rows."""
    frames = np.arange(first, len(rows) if end is None else end)
    index = np.clip(frames[:, None] + np.arange(-RADIUS, RADIUS + 1), 0, len(rows) - 1)
    return np.ascontiguousarray(rows[index].transpose(0, 2, 1))


def windows_of_257(coefficients: Floats, crops: Floats) -> Floats:
    """Return (T, 73, 27) windows of a clip's (T, 257) coefficients and (T, 3) crops."""
    return windows(rows_of_257(coefficients, crops))


def scale_factor(source: Floats, driving: Floats) -> float:
    """Return what the driver's crop scales are multiplied by so that they become the source's.

    `source` is one row (73,), `driving` are (T, 73). The scales are compared at the driving frame that looks most like
    the source, by expression and angles (the published rule for two people).
    """
    away = np.abs(driving - source)
    unlike = EXPRESSION_SHARE * away[:, EXPRESSION].mean(axis=1) + ANGLES_SHARE * away[:, ANGLES].mean(axis=1)
    return float(source[SCALE] / driving[np.argmin(unlike), SCALE])


def with_crop(source: Floats, driving: Floats, rule: CropRule) -> Floats:
    """Return (T, 73) driving rows with the crop that the rule says; `source` is one row (73,).

    driver: its own; adapt: its own, the scale multiplied by `scale_factor`; source: the source's throughout.
    """
    rows = driving.copy()
    if rule == "adapt":
        rows[:, SCALE] *= scale_factor(source, driving)
    elif rule == "source":
        rows[:, CROP] = source[CROP]
    return rows
