"""Whether a portrait is fit to be animated: how much of the face its picture shows, how far it is turned, its mouth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark
from facepipe.errors import NoFaceError
from facepipe.face import topology as at
from facepipe.face.cropping import outer_eye_distance

Floats = NDArray[np.floating]

# Share of the face's area outside of the picture: from the first a remark, from the second a failure.
CUT_OFF_SHARE, HALF_SHARE = 0.05, 0.3
# Yaw of the head from which a remark is made. The mesh renderer takes 23 % of the face's area from the other side at 30
# degrees, 29 % at 40 and 36 % at 50: as much as may be outside of the picture.
PROFILE_RADIANS = np.radians(40)
# The hair above the outline of the face, relative to the height of that outline, and the width of a head with its ears
# and hair relative to that of the outline.
HAIR_RATIO, HEAD_WIDTH_RATIO = 0.4, 1.25
# Share of the head outside of the picture, for renderers that need the whole head: as above.
HEAD_CUT_SHARE, HEAD_MISSING_SHARE = 0.08, 0.35
# Distance of the inner lips, in outer-eye distances.
OPEN_MOUTH = 0.1


def share_outside(points: Floats, picture_size: tuple[int, int]) -> float:
    """Return the share of the area inside the face's outline that is outside of a picture, from (478, 2 or 3) points.

    `picture_size` is width and height in pixels.
    """
    return _outside(np.asarray(points[list(at.FACE_OVAL), :2], np.float64), picture_size)


def head_share_outside(points: Floats, picture_size: tuple[int, int]) -> float:
    """Return the share of the head, with its hair, that is outside of a picture, from (478, 2 or 3) points.

    The head is taken for an ellipse along the face: from the chin to `HAIR_RATIO` of the face's height above the face's
    outline, and wider than it by `HEAD_WIDTH_RATIO`. `picture_size` is width and height in pixels.
    """
    oval: Floats = np.asarray(points[list(at.FACE_OVAL), :2], np.float64)
    top, chin = np.asarray(points[at.FACE_OVAL[0], :2]), np.asarray(points[at.FACE_OVAL[len(at.FACE_OVAL) // 2], :2])
    up = top - chin
    across = np.array([-up[1], up[0]]) / np.linalg.norm(up)
    sides = (oval - chin) @ across
    middle = chin + up * (1 + HAIR_RATIO) / 2 + across * (sides.max() + sides.min()) / 2
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    half_height, half_width = up * (1 + HAIR_RATIO) / 2, across * (sides.max() - sides.min()) * HEAD_WIDTH_RATIO / 2
    return _outside(middle + np.cos(angles) * half_height + np.sin(angles) * half_width, picture_size)


def _outside(outline: Floats, picture_size: tuple[int, int]) -> float:
    width, height = picture_size
    whole = _area(outline)
    for axis, bound, sign in ((0, -0.5, 1), (0, width - 0.5, -1), (1, -0.5, 1), (1, height - 0.5, -1)):
        outline = _clipped(outline, axis, bound, sign)
    return max(0.0, 1 - _area(outline) / whole) if whole else 0.0


def _area(outline: Floats) -> float:
    x, y = (outline - outline[:1]).T if len(outline) else np.zeros((2, 1))
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def _clipped(outline: Floats, axis: int, bound: float, sign: int) -> Floats:
    """Clip a polygon (N, 2) at a line: keep where `sign * (coordinate - bound)` is positive (Sutherland-Hodgman)."""
    kept: list[Floats] = []
    for first, second in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        one, other = sign * (first[axis] - bound), sign * (second[axis] - bound)
        if one >= 0:
            kept.append(first)
        if (one >= 0) != (other >= 0):
            kept.append(first + (second - first) * one / (one - other))
    return np.array(kept).reshape(-1, 2)


def portrait_remarks(points: Floats, angles: Floats, picture_size: tuple[int, int]) -> list[Remark]:
    """Return the remarks about a portrait: face cut off, turned too far, mouth open.

    Args:
        points: (478, 3) landmarks in pixels of the picture.
        angles: (3,) pitch, yaw and roll in radians.
        picture_size: Width and height of the picture in pixels.

    Raises NoFaceError if so much of the face is outside of the picture that there is nothing to animate.
    """
    found: list[Remark] = []
    outside = share_outside(points, picture_size)
    if outside >= HALF_SHARE:
        raise NoFaceError(
            f"{outside:.0%} of the source's face is outside of its picture, and only less than {HALF_SHARE:.0%} "
            "can be completed. Use a picture that shows the whole face."
        )
    if outside >= CUT_OFF_SHARE:
        text = f"{outside:.0%} of the source's face is outside of its picture; what comes into view of it is guessed"
        found.append(Remark("face-cut-off", text))
    if abs(angles[1]) > PROFILE_RADIANS:
        text = (
            f"the source's head is turned by {abs(np.degrees(angles[1])):.0f} degrees; beyond "
            f"{np.degrees(PROFILE_RADIANS):.0f} the hidden side of the face is guessed where the head turns"
        )
        found.append(Remark("profile", text))
    upper, lower = points[list(at.LIP_INNER_UPPER[3:6]), :2], points[list(at.LIP_INNER_LOWER[3:6]), :2]
    opening = float(np.linalg.norm(upper - lower, axis=1).mean() / outer_eye_distance(points))
    if opening > OPEN_MOUTH:
        text = (
            f"the source's mouth is open by {opening:.2f} eye distances; it closes where the motion's does, but a "
            "portrait with closed lips looks better"
        )
        found.append(Remark("mouth-open", text))
    return found


def head_remarks(share: float, number: int = 1) -> list[Remark]:
    """Return the remark about a picture of a head of which a share is outside, for renderers that need the whole head.

    `number` counts the pictures of the source from 1. Raises NoFaceError for the first one if too much is outside.
    """
    if number == 1 and share >= HEAD_MISSING_SHARE:
        raise NoFaceError(
            f"about {share:.0%} of the source's head is outside of its picture, and only less than "
            f"{HEAD_MISSING_SHARE:.0%} can be completed by a renderer of whole heads. Use a picture that shows the "
            "hair, or another renderer."
        )
    if share < HEAD_CUT_SHARE:
        return []
    which = "the source's head" if number == 1 else f"the head in picture {number} of the source"
    text = f"about {share:.0%} of {which} is outside of the picture; hair that comes into view is guessed"
    return [Remark("head-cut", text)]
