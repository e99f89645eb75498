"""Selection of the frame of a video that is best suited as a portrait."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology as at
from facepipe.face.cropping import box_of, outer_eye_distance, roll_radians
from facepipe.face.track import Track

Floats = NDArray[np.floating]


def best_frame(track: Track) -> int:
    """Return the best frame: face frontal, eyes open, mouth closed, large; the earliest among equals.

    Raises ValueError for a track without a face.
    """
    there = np.flatnonzero(track.valid)
    if not len(there):
        raise ValueError("no frame shows a face")
    points = track.points[there]
    unit = outer_eye_distance(points)
    nose, right, left = points[:, at.NOSE_TIP], points[:, at.RIGHT_EYE_OUTER], points[:, at.LEFT_EYE_OUTER]
    sideways = np.abs(np.linalg.norm(nose - right, axis=1) - np.linalg.norm(left - nose, axis=1)) / unit
    depth = np.abs(right[:, 2] - left[:, 2]) / unit
    eyes = (
        sum(
            _gap(points, upper, lower)
            for upper, lower in ((at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER), (at.LEFT_LID_UPPER, at.LEFT_LID_LOWER))
        )
        / unit
    )
    mouth = _gap(points, at.LIP_INNER_UPPER, at.LIP_INNER_LOWER) / unit
    roll = np.array([abs(roll_radians(row)) for row in points])
    boxes = box_of(points)
    size = np.log((boxes[:, 3] - boxes[:, 1]) / np.median(boxes[:, 3] - boxes[:, 1]))
    merit = -(sideways + depth) - 0.5 * roll + 2 * np.minimum(eyes, np.percentile(eyes, 80)) - 2 * mouth + 0.3 * size
    return int(there[np.argmax(np.round(merit, 3))])


def _gap(points: Floats, upper: tuple[int, ...], lower: tuple[int, ...]) -> Floats:
    return np.asarray(np.linalg.norm(points[:, list(upper)] - points[:, list(lower)], axis=-1).mean(1))
