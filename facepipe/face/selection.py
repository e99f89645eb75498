"""Selection of the frames of a video that are best suited as portraits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import NoFaceError, UsageError
from facepipe.face import topology as at
from facepipe.face.cropping import box_of, outer_eye_distance, roll_radians
from facepipe.face.fitting import Fit
from facepipe.face.portrait import CUT_OFF_SHARE, PROFILE_RADIANS, share_outside
from facepipe.face.pose import angles_of
from facepipe.face.track import Track

Floats = NDArray[np.floating]

# Units of distance between frames: a turn by this angle counts as much as this distance of expression coefficients,
# which is about that between lips closed and a spoken "a".
ANGLE_UNIT_RADIANS, EXPRESSION_UNIT = np.radians(15), 5.0
# Share of the frames of a clip that take part, those with the least motion.
STILL_SHARE = 0.75


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


def frame_of(rule: str, track: Track, path: Path) -> int:
    """Return the frame of a video that is the portrait: the best one, or the one with the given number.

    Raises UsageError for a number beyond the end, NoFaceError for a frame without a face. `path` is for messages.
    """
    if rule == "best":
        return best_frame(track)
    frame = int(rule)
    if frame >= len(track.valid):
        raise UsageError(f"{path} has {len(track.valid)} frames, so frame {frame} does not exist. Frames count from 0.")
    if not track.valid[frame]:
        raise NoFaceError(f"{path}: frame {frame} shows no face. Choose another frame, or `best`.")
    return frame


def different_frames(
    track: Track, fitted: Fit, *, first: int, count: int, picture_size: tuple[int, int]
) -> tuple[int, ...]:
    """Return `first`, and up to `count` - 1 other frames of the same person whose pose and expression differ most.

    Each next frame is the one that is farthest from all chosen before (farthest-point sampling); the earliest among
    equals. Only frames with a whole face, a yaw of at most 40 degrees and little motion take part.
    """
    angles = angles_of(fitted.pose.rotation)
    candidates = [
        int(frame)
        for frame in _still_frames(track, _same_person(track, first))
        if abs(angles[frame, 1]) <= PROFILE_RADIANS
        and share_outside(track.points[frame].astype(np.float64), picture_size) < CUT_OFF_SHARE
    ]
    positions = np.concatenate([angles / ANGLE_UNIT_RADIANS, fitted.expression / EXPRESSION_UNIT], axis=1)
    chosen = [first]
    distance = np.linalg.norm(positions[candidates] - positions[first], axis=1)
    while len(chosen) < count and len(candidates) and distance.max() > 0:
        chosen.append(candidates[int(np.argmax(np.round(distance, 6)))])
        distance = np.minimum(distance, np.linalg.norm(positions[candidates] - positions[chosen[-1]], axis=1))
    return tuple(chosen)


def _same_person(track: Track, frame: int) -> NDArray[np.intp]:
    """Return the frames with a face between the two changes of person around a frame."""
    edges = (0, *sorted(track.changed_frames), len(track.valid))
    start = max(edge for edge in edges[:-1] if edge <= frame)
    end = min(edge for edge in edges[1:] if edge > frame)
    return start + np.flatnonzero(track.valid[start:end])


def _still_frames(track: Track, frames: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the frames in which the face moves least, three quarters of them: the others may be blurred."""
    unit = outer_eye_distance(track.points[frames])
    before, after = (np.clip(frames + step, 0, len(track.valid) - 1) for step in (-1, 1))
    shift = np.zeros(len(frames))
    for other in (before, after):
        known = track.valid[other] & (track.shots[other] == track.shots[frames])
        moved = np.linalg.norm(track.points[frames, :, :2] - track.points[other, :, :2], axis=-1).mean(1) / unit
        shift = np.maximum(shift, np.where(known, moved, 0))
    return frames[shift <= np.percentile(shift, STILL_SHARE * 100)]
