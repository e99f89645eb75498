"""A face followed through a clip or found in a picture, and its frames as square crops, streamed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.errors import InputError, NoFaceError
from facepipe.evaluate.pixels import Picture
from facepipe.face.cropping import SquareCrop, sample, transform_points, whole_picture
from facepipe.face.detector import Detector
from facepipe.face.fitting import fit
from facepipe.face.landmarker import Landmarker
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.track import Track, crop_around
from facepipe.face.tracking import Tracker
from facepipe.media.decode import decode_frames
from facepipe.media.files import kind_of
from facepipe.media.image import read_image
from facepipe.media.info import VideoInfo
from facepipe.media.probe import probe_video
from facepipe.spaces.coefficients import Coefficients, from_fit

Floats = NDArray[np.floating]


class Eyes:
    """The embedded networks that see a face."""

    def __init__(self) -> None:
        """Open them. Raises WeightsError."""
        self.model: FaceModel = load_face_model(weights.find("face-model").path)
        self.detector, self.landmarker = (
            Detector(weights.find("detector").path),
            Landmarker(weights.find("landmarker").path),
        )

    def track(self, pictures: Iterator[Picture]) -> Track:
        """Follow the largest face."""
        return Tracker(self.detector, self.landmarker).track(pictures)


@dataclass(frozen=True)
class Footage:
    """A clip whose face was followed, and the N frames of it that are judged."""

    path: Path
    info: VideoInfo | None
    """None for a picture."""
    crop: SquareCrop
    """What of its frames is looked at."""
    size: int
    """Width and height of that in pixels."""
    coefficients: Coefficients
    """Of all frames that were read, relative to the crop."""
    frames: NDArray[np.intp]
    """(N,) which of them are judged."""
    points: Floats
    """(N, 478, 3) landmarks in pixels of the crop; zero where there is no face."""
    valid: NDArray[np.bool_]
    """(N,)"""
    sixty_eight: Floats
    """(T, 68, 2) points of all frames that were read, in pixels of the crop."""

    def pictures(self) -> Iterator[Picture]:
        """Yield the frames that are judged, (size, size, 3) each."""
        if self.info is None:
            yield sample(read_image(self.path), self.crop, self.size)
            return
        yield from chosen(self.path, self.info, self.frames, self.crop, self.size)

    def still(self) -> Picture:
        """Return the first of them."""
        return next(self.pictures())

    def motion(self) -> Coefficients:
        """Return the coefficients of the frames that are judged."""
        return self.coefficients.taken(self.frames)


def chosen(path: Path, info: VideoInfo, frames: NDArray[np.intp], crop: SquareCrop, size: int) -> Iterator[Picture]:
    """Yield crops of the wanted frames of a video; raise InputError where it ends before them."""
    wanted, found = set(frames.tolist()), 0
    for place, picture in enumerate(decode_frames(path, info=info, frame_count=int(frames[-1]) + 1)):
        if place in wanted:
            found += 1
            yield sample(picture, crop, size)
    if found < len(wanted):
        raise InputError(f"{path}: ends before frame {frames[-1]}")


def follow(
    path: Path, eyes: Eyes, *, size: int, most: int = 0, longest: int | None = None, whole: bool = False
) -> Footage:
    """Follow the face of a clip or a picture, which must show in its first frame.

    Of at most `longest` frames `most` are judged, spread evenly; 0 means all. With `whole`, a square picture is looked
    at as it is, not only where the face is. Raises InputError and NoFaceError.
    """
    if kind_of(path) == "image":
        return _found(path, eyes, size)
    info = probe_video(path)
    track = eyes.track(itertools.islice(decode_frames(path, info=info), longest))
    count = len(track.valid)
    if not count or not track.valid[0]:
        raise NoFaceError(f"{path}: shows no face in its first frame, and all is measured from there")
    frame_size = (info.width, info.height)
    square = whole and info.width == info.height
    crop = whole_picture(info.width) if square else crop_around(track.points[track.valid], frame_size)
    frames = np.unique(np.linspace(0, count - 1, most).astype(int)) if most else np.arange(count)
    return _footage(path, info, eyes.model, track, crop, size, frames, frame_size)


def _found(path: Path, eyes: Eyes, size: int) -> Footage:
    picture = read_image(path)
    track = eyes.track(iter([picture]))
    if not track.valid[0]:
        raise NoFaceError(f"{path}: shows no face")
    frame_size = (picture.shape[1], picture.shape[0])
    crop = crop_around(track.points, frame_size)
    return _footage(path, None, eyes.model, track, crop, size, np.zeros(1, int), frame_size)


def _footage(
    path: Path,
    info: VideoInfo | None,
    model: FaceModel,
    track: Track,
    crop: SquareCrop,
    size: int,
    frames: NDArray[np.intp],
    frame_size: tuple[int, int],
) -> Footage:
    fitted = fit(model, track.points, track.valid)
    fps = info.fps if info else Fraction(25)
    return Footage(
        path,
        info,
        crop,
        size,
        from_fit(fitted, track.valid, fps=fps, crop=crop, picture_size=frame_size),
        frames,
        transform_points(track.points[frames].astype(np.float64), crop.matrix(size)),
        track.valid[frames],
        transform_points(track.points[:, model.sixty_eight, :2].astype(np.float64), crop.matrix(size)),
    )


def face_points(motion: Coefficients, model: FaceModel, size: int) -> Floats:
    """Return where coefficients place the face, (N, 478, 3) float32 in pixels of a crop of `size`."""
    pose = motion.pose(size)
    rows = [
        pose.rows(block).apply(model.shape(motion.identity, motion.expression[block])).astype(np.float32)
        for block in (slice(first, first + 64) for first in range(0, len(motion), 64))
    ]
    return np.concatenate(rows)
