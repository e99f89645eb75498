"""Tracks: one face through a clip, in memory and as a file (docs/formats.md), and the crop around it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop, box_of
from facepipe.media.archive import MAX_PIXELS, crop_of, open_archive, picture_size_of, rate_of

FORMAT, VERSION = "facepipe-track", 1
# Arrays that older files, or those of other landmarkers, do not have.
OPTIONAL = ("sixty_eight", "shot")
# Side of the crop relative to the longer side of the face, and how far the face is below the centre of the crop,
# relative to the side: hair needs room.
CROP_SIDE_RATIO, CROP_RAISE_RATIO = 1.9, 0.04
# From this share of frames without the face on, a remark asks to check who is followed; from the other on, a clip is
# refused unless --no-face is source or cut.
FEW_FACES_SHARE, NO_FACE_SHARE = 0.5, 0.9


# Longer side of a face in pixels: below the first a medium is refused, below the second a remark says so.
MIN_FACE_PIXELS, SMALL_FACE_PIXELS = 24, 100


@dataclass(frozen=True)
class Choice:
    """Which of the faces of a frame was chosen first."""

    frame: int
    number: int
    """Position among the faces of that frame, from the left, counted from 1."""
    faces: int
    """Number of faces in that frame."""


@dataclass(frozen=True)
class Track:
    """One face through T frames. Rows without a face are zero and not `valid`."""

    points: NDArray[np.float32]
    """(T, 478, 3), x and y in pixels of the frame, z in the same unit and smaller towards the camera."""
    valid: NDArray[np.bool_]
    """(T,)"""
    score: NDArray[np.float32]
    """(T,) confidence that there is a face, 0 to 1."""
    detections: int = 0
    """Number of frames on which the detector ran."""
    max_faces: int = 0
    """Largest number of faces found in one frame."""
    sixty_eight: NDArray[np.float32] | None = None
    """(T, 68, 3) in the same units, from a landmarker that finds 68 points and fits `points` to them; else None."""
    shot: NDArray[np.int32] | None = None
    """(T,) number of each frame's shot, from 0 (`facepipe.face.shots`); None for a single shot."""
    choice: Choice | None = None
    """The first choice of a face; None without a face, and for a track from a file."""
    changed_frames: tuple[int, ...] = ()
    """Frames from which another person is followed; not in files."""

    @property
    def shots(self) -> NDArray[np.int32]:
        """(T,) number of each frame's shot, from 0."""
        return np.zeros(len(self.valid), np.int32) if self.shot is None else self.shot

    def rows(self, first: int, end: int) -> Track:
        """Return frames from `first` to `end` (exclusive)."""
        own = None if self.sixty_eight is None else self.sixty_eight[first:end]
        return replace(
            self,
            points=self.points[first:end],
            valid=self.valid[first:end],
            score=self.score[first:end],
            sixty_eight=own,
            shot=None if self.shot is None else self.shot[first:end],
        )


@dataclass(frozen=True)
class TrackFile:
    """A track with the rate of its clip and the crop and size of the source picture."""

    track: Track
    fps: Fraction
    crop: SquareCrop
    picture_size: tuple[int, int]
    frame: int = -1
    """Frame number in the video for a still taken from a video; else -1."""
    turned_degrees: int = 0
    """Clockwise turn of the medium in which the points are; 0 unless its faces are upright only when it is turned."""


def face_pixels(track: Track) -> float:
    """Return the median of the longer side of the face's box, in pixels. At least one row must be valid."""
    boxes = box_of(track.points[track.valid])
    return float(np.median(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])))


def crop_around(points: NDArray[np.floating], picture_size: tuple[int, int]) -> SquareCrop:
    """Return one crop around the (T, 478, 3) points of a clip's valid frames, inside the picture.

    The side covers the extent of the face over the clip without outlier frames, limited by the picture's shorter side.
    """
    boxes = box_of(points)
    left, top = np.percentile(boxes[:, :2], 2, axis=0)
    right, bottom = np.percentile(boxes[:, 2:], 98, axis=0)
    face = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    travel = max(right - left, bottom - top) - face
    side = CROP_SIDE_RATIO * face + max(0.0, float(travel))
    side = min(side, *(float(length) for length in picture_size))
    center = np.array([(left + right) / 2, (top + bottom) / 2 - CROP_RAISE_RATIO * side])
    # Pixel i covers i - 0.5 to i + 0.5, so the picture reaches from -0.5 to its length - 0.5.
    center = np.clip(center, side / 2 - 0.5, np.array(picture_size) - side / 2 - 0.5)
    return SquareCrop(float(center[0]), float(center[1]), side)


def save_track(file: TrackFile, path: Path) -> None:
    """Write a track file: arrays without pickle, and a JSON header as UTF-8 bytes."""
    crop = {
        "center_x": file.crop.center_x,
        "center_y": file.crop.center_y,
        "side": file.crop.side,
        "angle_radians": file.crop.angle_radians,
    }
    header = {
        "format": FORMAT,
        "version": VERSION,
        "fps": str(file.fps),
        "crop": crop,
        "picture_size": list(file.picture_size),
        "frame": file.frame,
        "turned_degrees": file.turned_degrees,
        "detections": file.track.detections,
        "most_faces": file.track.max_faces,
    }
    encoded = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    optional = {name: getattr(file.track, name) for name in OPTIONAL}
    with path.open("wb") as target:
        np.savez(
            target,
            allow_pickle=False,
            points=file.track.points,
            valid=file.track.valid,
            score=file.track.score,
            **{name: array for name, array in optional.items() if array is not None},
            header=encoded,
        )


def load_track(path: Path) -> TrackFile:
    """Read a track file. Raises InputError if it is missing, not a track file, damaged, or of another version."""
    try:
        with open_archive(path) as file:
            header = json.loads(file.header())
            if header.get("format") != FORMAT or header.get("version") != VERSION:
                raise InputError(f"{path} is not a track file of version {VERSION}. Create one with `facepipe crop`.")
            valid = file.array("valid", (None,), "b")
            count = len(valid)
            points, score = file.array("points", (count, 478, 3), "f"), file.array("score", (count,), "f")
            own = file.array("sixty_eight", (count, 68, 3), "f") if "sixty_eight" in file.names else None
            shot = file.array("shot", (count,), "i") if "shot" in file.names else None
            track = Track(points, valid, score, header["detections"], header["most_faces"], own, shot)
        _check(track)
        size, fps = picture_size_of(header), rate_of(header["fps"])
        turn = int(header.get("turned_degrees", 0))
        if turn not in (0, 90, 180, 270):
            raise ValueError(f"turned_degrees is {turn}, expected 0, 90, 180 or 270")
        return TrackFile(track, fps, SquareCrop(**crop_of(header)), size, int(header["frame"]), turn)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the path of a track file (.npz).") from None
    except InputError:
        raise
    except Exception as error:  # NumPy and its zip reader raise many types for foreign or damaged files
        raise InputError(f"{path} is not a readable track file ({error}). Create one with `facepipe crop`.") from error


def _check(track: Track) -> None:
    """Raise ValueError unless the numbers can be points of a face."""
    arrays = {"points": track.points, "score": track.score, "sixty_eight": track.sixty_eight}
    for name, array in arrays.items():
        if array is not None and not float(np.abs(array).max(initial=0)) <= MAX_PIXELS:
            raise ValueError(f"{name} contains numbers that are not finite, or above {MAX_PIXELS:.0f}")
