"""What perception knows of a portrait, in the frame of its face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.framing import EYES_ROW, SIDE_UNITS
from facepipe.face import topology as at
from facepipe.face.cropping import SquareCrop, roll_radians, sample, transform_points

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
SIDE_PIXELS = 256
"""Side of the frame's picture."""


@dataclass(frozen=True, eq=False)
class Observation:
    """A portrait in the frame of its face (see `facepipe.avatar.framing`)."""

    picture: Pixels
    """(256, 256, 3) RGB. Beyond the edges of the portrait its border is continued."""
    matte: Floats
    """(256, 256), share of the person, 0 to 1; 0 beyond the edges of the portrait."""
    inside: Floats
    """(256, 256), 1 inside the portrait, 0 beyond its edges."""
    points: Floats
    """(478, 3), landmarks in pixels of `picture`; z in the same unit, smaller towards the camera."""
    neutral: Floats
    """(478, 3), the person's points without expression and rotation: x to the right, y down, z away from the viewer, in
    outer-eye distances of the face model."""


def face_frame(points: NDArray[np.floating]) -> SquareCrop:
    """Return the frame of a face with (478, 2 or 3) points in a picture."""
    right = (points[at.RIGHT_EYE_OUTER, :2] + points[at.RIGHT_EYE_INNER, :2]) / 2
    left = (points[at.LEFT_EYE_OUTER, :2] + points[at.LEFT_EYE_INNER, :2]) / 2
    eyes, mouth = (right + left) / 2, (points[at.MOUTH_RIGHT, :2] + points[at.MOUTH_LEFT, :2]) / 2
    side = SIDE_UNITS * float(np.hypot(*(left - right)) + np.hypot(*(mouth - eyes))) / 2
    angle = roll_radians(np.asarray(points))
    down = np.array([-np.sin(angle), np.cos(angle)])
    middle = eyes + (0.5 - EYES_ROW) * side * down
    return SquareCrop(float(middle[0]), float(middle[1]), side, angle)


def observe(picture: Pixels, matte: Floats, points: NDArray[np.floating], neutral: NDArray[np.floating]) -> Observation:
    """Return the observation of a portrait (H, W, 3) with its matte (H, W), points (478, 3) and neutral points."""
    frame = face_frame(points)
    moved = transform_points(np.asarray(points, np.float64), frame.matrix(SIDE_PIXELS))
    share = np.clip(matte * 255 + 0.5, 0, 255).astype(np.uint8)
    seen = np.full(share.shape, 255, np.uint8)
    # `sample` continues the border beyond the edges, and averages blocks of this size.
    border = 2 * int(frame.side / SIDE_PIXELS) + 2
    moved_frame = SquareCrop(frame.center_x + border, frame.center_y + border, frame.side, frame.angle_radians)
    shown, inside = (sample(np.pad(plane, border), moved_frame, SIDE_PIXELS) for plane in (share, seen))
    return Observation(
        sample(picture, frame, SIDE_PIXELS),
        shown.astype(np.float32) / np.float32(255),
        inside.astype(np.float32) / np.float32(255),
        moved.astype(np.float32),
        np.asarray(neutral, np.float32),
    )
