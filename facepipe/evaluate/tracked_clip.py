"""A clip that the stages tracked and fitted, and the frames of it that are compared, read one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.engine import Job
from facepipe.errors import InputError
from facepipe.evaluate.pixels import Floats, Picture
from facepipe.face.cropping import SquareCrop, sample, transform_points, whole_picture
from facepipe.face.detector import Detector
from facepipe.face.landmarker import Landmarker
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.track import Track, load_track
from facepipe.face.tracking import Tracker
from facepipe.media.decode import decode_frames
from facepipe.media.info import VideoInfo
from facepipe.media.probe import probe_video
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import fit_driver, path_of, perception_weights
from facepipe.pipeline.precheck import inspect
from facepipe.spaces import linear478
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients

BLOCK_FRAMES = 64


class FaceTracker:
    """The embedded networks and the face model, with which results are measured."""

    def __init__(self) -> None:
        """Open the networks. Raises WeightsError."""
        self.model: FaceModel = load_face_model(weights.find("face-model").path)
        self.detector = Detector(weights.find("detector").path)
        self.landmarker = Landmarker(weights.find("landmarker").path)

    def track(self, pictures: Iterator[Picture]) -> Track:
        """Track the largest face."""
        return Tracker(self.detector, self.landmarker).track(pictures)


@dataclass(frozen=True)
class TrackedClip:
    """A clip with track and coefficients, and the N frames of it that are compared."""

    path: Path
    info: VideoInfo
    area: SquareCrop
    """The section of its frames that is compared."""
    size: int
    """Width and height in pixels at which that part is compared."""
    coefficients: Coefficients
    """Coefficients of all frames in the space linear478, not smoothed, relative to the area."""
    frames: NDArray[np.intp]
    """(N,) the numbers of the frames that are compared."""
    points: Floats
    """(N, 478, 3) landmarks in pixels of the area; zero in frames without a face."""
    valid: NDArray[np.bool_]
    """(N,) frames with a face."""

    def pictures(self) -> Iterator[Picture]:
        """Yield the compared frames, (size, size, 3) each."""
        yield from read_frames(self.path, self.info, self.frames, self.area, self.size)

    def motion(self) -> Coefficients:
        """Return the coefficients of the compared frames."""
        return self.coefficients.taken(self.frames)

    def limited(self, count: int) -> TrackedClip:
        """Return this clip with only the compared frames below frame `count`."""
        below = self.frames < count
        return replace(self, frames=self.frames[below], points=self.points[below], valid=self.valid[below])


def track_clip(
    job: Job, path: Path, *, size: int, area: SquareCrop | None = None, frames: int = 0, first: int = 0
) -> TrackedClip:
    """Run the stages `crop` and `coefficients` on a video, in the space linear478 and without smoothing.

    Args:
        job: Where the stages run.
        path: The video.
        size: Width and height in pixels at which it is compared.
        area: The part of its frames that is compared; None for the crop around the face that the stage chooses.
        frames: How many frames are compared, spread evenly; 0 for all.
        first: The number of the first frame that is compared.

    Raises InputError and NoFaceError.
    """
    options = Options(space=linear478.SPACE.name, smoothing="none")
    medium = inspect(path, options.limits)
    if medium.kind != "video":
        raise InputError(f"{path}: is a picture, expected a video, because it is compared frame by frame")
    fitted = fit_driver(job, medium, options, perception_weights(options))
    file = load_track(path_of(fitted.crop, "track.npz"))
    area = area or file.crop
    coefficients = load_coefficients(path_of(fitted.coefficients, "coefficients.npz"), space=linear478.SPACE)
    count = len(coefficients)
    chosen = np.unique(np.linspace(first, count - 1, frames).astype(int)) if frames else np.arange(first, count)
    points = np.array(transform_points(file.track.points[chosen].astype(np.float64), area.matrix(size)))
    points[~file.track.valid[chosen]] = 0
    return TrackedClip(
        path,
        probe_video(path).turned(file.turned_degrees),
        area,
        size,
        coefficients.relative_to(area),
        chosen,
        points,
        file.track.valid[chosen],
    )


def compared_area(info: VideoInfo) -> SquareCrop | None:
    """Return the part of a finished video that is compared: a square video is compared whole; None for the face's."""
    return whole_picture(info.width) if info.width == info.height else None


def read_frames(
    path: Path, info: VideoInfo, frames: NDArray[np.intp], area: SquareCrop, size: int
) -> Iterator[Picture]:
    """Yield an area of the frames with the given numbers. Raises InputError if the video is shorter."""
    wanted, found = set(frames.tolist()), 0
    for number, picture in enumerate(decode_frames(path, info=info, frame_count=int(frames[-1]) + 1)):
        if number in wanted:
            found += 1
            yield sample(picture, area, size)
    if found < len(wanted):
        raise InputError(f"{path}: ends before frame {frames[-1]}")


def face_points(motion: Coefficients, model: FaceModel, size: int) -> Floats:
    """Return the landmarks of N coefficients, (N, 478, 3) float32 in pixels of a crop of `size`."""
    pose = motion.pose(size)
    rows = [
        pose.rows(block).apply(model.shape(motion.identity, motion.expression[block])).astype(np.float32)
        for block in (slice(first, first + BLOCK_FRAMES) for first in range(0, len(motion), BLOCK_FRAMES))
    ]
    return np.concatenate(rows)
