"""Alignment: small displacements of a target, whose frame is as uncertain as the points that it was made from."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.picture import Doubles
from facepipe.creation.observation import SIDE_PIXELS
from facepipe.creation.target import Floats, Target

STILL: Doubles = np.zeros(4)
"""An alignment: pixels to the right, pixels down, growth (pixels by which the edges move outwards), and turn (pixels by
which they move clockwise)."""
STEPS = (0.5, 0.5, 0.5, 0.5)
"""Changes by which derivatives are measured, in pixels."""
HALF = SIDE_PIXELS / 2


def aligned(target: Target, alignment: Doubles) -> Target:
    """Return a target moved and grown. What comes from beyond its edges is not inside."""
    if not alignment.any():
        return target
    planes = {name: _moved(plane, alignment) for name, plane in target.parts.items()}
    return replace(
        target,
        picture=np.rint(_moved(target.picture, alignment, cv2.BORDER_REPLICATE)).astype(np.uint8),
        matte=_moved(target.matte, alignment),
        inside=_moved(target.inside, alignment),
        parts=planes,
    )


def derivatives(target: Target) -> list[Floats]:
    """Return the derivatives (256, 256, 3) of a picture's difference from a target by the target's alignment."""
    found = []
    for axis, step in enumerate(STEPS):
        alignment = STILL.copy()
        alignment[axis] = step
        moved = _moved(target.picture, alignment, cv2.BORDER_REPLICATE)
        share = target.inside[..., None] / np.float32(255 * step)
        found.append((target.picture - moved) * share)
    return found


def _moved(plane: NDArray[np.uint8 | np.float32], alignment: Doubles, border: int = cv2.BORDER_CONSTANT) -> Floats:
    across, down, growth, turn = alignment
    scale, angle, middle = float(np.exp(growth / HALF)), float(turn / HALF), HALF - 0.5
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array(
        [
            [cos, -sin, middle - cos * middle + sin * middle + across],
            [sin, cos, middle - sin * middle - cos * middle + down],
        ]
    )
    size = (SIDE_PIXELS, SIDE_PIXELS)
    moved = cv2.warpAffine(plane.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(moved, np.float32)
