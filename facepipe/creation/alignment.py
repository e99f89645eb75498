"""Alignment: displacements of a drawn face, whose frame in a target is as uncertain as the points it comes from."""

from __future__ import annotations

from dataclasses import replace
from math import atan, degrees, exp, radians, tan

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.camera import Camera
from facepipe.avatar.picture import Doubles
from facepipe.creation.observation import SIDE_PIXELS
from facepipe.creation.target import Floats, Target

STILL: Doubles = np.zeros(4)
"""An alignment, in pixels of a picture SIDE_PIXELS wide: to the right, down, growth (by which the edges move outwards),
and turn (by which they move clockwise)."""
STEPS = (0.5, 0.5, 0.5, 0.5)
"""Changes by which derivatives are measured."""
HALF = SIDE_PIXELS / 2


def turned(camera: Camera, alignment: Doubles) -> Camera:
    """Return a camera without roll whose picture is that of `camera`, displaced by an alignment."""
    if not alignment.any():
        return camera
    moved = _matrix(alignment)[:, :2] @ (-camera.shift[0], camera.shift[1]) + alignment[:2] / SIDE_PIXELS
    reach = tan(radians(camera.field_of_view_degrees) / 2) / exp(alignment[2] / HALF)
    return replace(
        camera,
        field_of_view_degrees=2 * degrees(atan(reach)),
        roll_degrees=-degrees(alignment[3] / HALF),
        shift=(float(-moved[0]), float(moved[1])),
    )


def restored(target: Target, alignment: Doubles) -> Target:
    """Return a target whose face is displaced by an alignment, without that. What comes from beyond is not inside."""
    if not alignment.any():
        return target
    planes = {name: _restored(plane, alignment) for name, plane in target.parts.items()}
    return replace(
        target,
        picture=np.rint(_restored(target.picture, alignment, cv2.BORDER_REPLICATE)).astype(np.uint8),
        matte=_restored(target.matte, alignment),
        inside=_restored(target.inside, alignment),
        parts=planes,
    )


def _restored(plane: NDArray[np.uint8 | np.float32], alignment: Doubles, border: int = cv2.BORDER_CONSTANT) -> Floats:
    matrix, middle = _matrix(alignment), HALF - 0.5
    matrix[:, 2] += middle - matrix[:, :2] @ (middle, middle)
    size, flags = (SIDE_PIXELS, SIDE_PIXELS), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(plane.astype(np.float32), matrix, size, flags=flags, borderMode=border), np.float32
    )


def _matrix(alignment: Doubles) -> Doubles:
    """Return the displacement (2, 3) of pixels about the middle of the picture."""
    across, down, growth, turn = alignment
    scale, angle = float(np.exp(growth / HALF)), float(turn / HALF)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, across], [sin, cos, down]])
