"""What in a portrait makes its avatar less certain."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.vector import AvatarVector
from facepipe.creation.observation import Observation
from facepipe.engine.remark import Remark
from facepipe.errors import NoFaceError
from facepipe.face import topology as at
from facepipe.face.cropping import outer_eye_distance
from facepipe.face.portrait import (
    CUT_OFF_SHARE,
    HALF_SHARE,
    HEAD_CUT_SHARE,
    OPEN_MOUTH,
    head_share_outside,
    share_outside,
)

Points = NDArray[np.floating]
TURNED_DEGREES = 20.0
"""Yaw or pitch of the head from which a remark is made."""
COVERED_SHARE = 0.15
"""Share of the face that is not the person's from which a remark is made."""
GREY_LEVELS = 4.0
"""Mean difference of the largest and the smallest of a pixel's levels below which a picture has no colours."""


def check_face(points: Points, picture_size: tuple[int, int]) -> None:
    """Raise NoFaceError if too much of a face with points (478, 2 or 3) is outside of a picture (width, height)."""
    outside = share_outside(points, picture_size)
    if outside >= HALF_SHARE:
        raise NoFaceError(
            f"{outside:.0%} of the face is outside of the picture, and an avatar is made only if less than "
            f"{HALF_SHARE:.0%} is. Use a picture that shows the whole face."
        )


def portrait_remarks(points: Points, angles_radians: Points, picture_size: tuple[int, int]) -> list[Remark]:
    """Return the remarks on the face in a portrait.

    Args:
        points: (478, 3) landmarks in pixels of the picture.
        angles_radians: (3,) pitch, yaw and roll of the head.
        picture_size: Width and height of the picture in pixels.
    """
    found = []
    pitch, yaw = (abs(float(np.degrees(angle))) for angle in angles_radians[:2])
    if max(pitch, yaw) > TURNED_DEGREES:
        way = f"to the side by {yaw:.0f}" if yaw >= pitch else f"up or down by {pitch:.0f}"
        text = (
            f"the head is turned {way} degrees, so that its shape is less certain; a picture from the front is better"
        )
        found.append(Remark("head-turned", text))
    upper, lower = points[list(at.LIP_INNER_UPPER[3:6]), :2], points[list(at.LIP_INNER_LOWER[3:6]), :2]
    opening = float(np.linalg.norm(upper - lower, axis=1).mean() / outer_eye_distance(points))
    if opening > OPEN_MOUTH:
        text = f"the mouth is open by {opening:.2f} eye distances, so that lips and chin are less certain"
        found.append(Remark("mouth-open", text))
    outside = share_outside(points, picture_size)
    if outside >= CUT_OFF_SHARE:
        text = f"{outside:.0%} of the face is outside of the picture and guessed"
        found.append(Remark("face-cut-off", text))
    head = head_share_outside(points, picture_size)
    if head >= HEAD_CUT_SHARE:
        text = f"about {head:.0%} of the head is outside of the picture; the hair there is guessed"
        found.append(Remark("head-cut", text))
    return found


def appearance_remarks(observation: Observation) -> list[Remark]:
    """Return the remarks on what the pixels of a portrait show."""
    found = []
    covered = covered_share(observation)
    if covered >= COVERED_SHARE:
        text = f"about {covered:.0%} of the face is covered by something else; what is behind it is guessed"
        found.append(Remark("face-covered", text))
    person = observation.matte > 0.5
    levels = observation.picture[person].astype(int)
    if len(levels) and float((levels.max(axis=1) - levels.min(axis=1)).mean()) < GREY_LEVELS:
        text = "the picture has no colours; those of skin, hair, eyes and lips are guessed from their lightness"
        found.append(Remark("grey-picture", text))
    return found


def covered_share(observation: Observation) -> float:
    """Return the share of the face, within the picture, that the matte does not count to the person."""
    outline = np.round(observation.points[list(at.FACE_OVAL), :2]).astype(np.int32)
    face = cv2.fillPoly(np.zeros(observation.matte.shape, np.uint8), [outline], (1,)) * observation.inside
    return float((face * (1 - observation.matte)).sum() / max(float(face.sum()), 1.0))


def hair_remarks(vector: AvatarVector) -> list[Remark]:
    """Return the remark on an avatar without hair."""
    if vector.choices["hair"] != "none" or vector.choices["hat"] != "none":
        return []
    text = "no hair was seen; `facepipe avatar edit --set hair=NAME` gives the avatar some"
    return [Remark("no-hair", text)]
