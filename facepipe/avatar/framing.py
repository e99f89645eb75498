"""The frame of a face: a square in which faces of avatars and of portraits have the same place and size."""

from __future__ import annotations

from math import atan, degrees
from typing import Protocol

import numpy as np

from facepipe.avatar.camera import Camera
from facepipe.avatar.shaped_head import ShapedHead

SIDE_UNITS = 6.2
"""Side of the square. The unit is the mean of two distances: between the eyes, and from them to the mouth."""
EYES_ROW = 0.48
"""Row of the middle between the eyes, as a fraction of the side."""
HEAD_SHARE = 0.75
"""Height of the head and its hair that the camera's distance is for, as a fraction of the side."""
PLAIN = (0.9, 0.91, 0.93)
"""sRGB of the background of neutral pictures."""


class HasHead(Protocol):
    """An avatar."""

    @property
    def head(self) -> ShapedHead:
        """Its head."""


def face_camera(avatar: HasHead, *, wider: float = 1.0) -> Camera:
    """Return a camera from the front whose picture is the face's frame, with a side `wider` times as long."""
    names = [f"eye-{end}-{side}" for end in ("inner", "outer") for side in ("left", "right")]
    places = {name: avatar.head.point(name).astype(np.float64) for name in (*names, "mouth-left", "mouth-right")}
    left, right = (0.5 * (places[f"eye-inner-{side}"] + places[f"eye-outer-{side}"]) for side in ("left", "right"))
    eyes, mouth = (left + right) / 2, (places["mouth-left"] + places["mouth-right"]) / 2
    side = SIDE_UNITS * (float(np.hypot(*(left - right)[:2])) + float(np.hypot(*(eyes - mouth)[:2]))) / 2
    middle = (float(eyes[0]), float(eyes[1] - (0.5 - EYES_ROW) * side), float(eyes[2] + mouth[2]) / 2)
    camera = Camera(target=middle, head_height=HEAD_SHARE * side)
    return Camera(
        target=middle,
        head_height=HEAD_SHARE * side,
        field_of_view_degrees=degrees(2 * atan(wider * side / 2 / camera.distance)),
    )
