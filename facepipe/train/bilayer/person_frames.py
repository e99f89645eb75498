"""Head frames of one person, from a clip or from pictures, for the fine-tuning of the compact bi-layer network."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError, NoFaceError
from facepipe.face.cropping import SquareCrop, sample, transform_points
from facepipe.face.finding import FaceDetector
from facepipe.face.following import Followed, Follower
from facepipe.face.landmarker import FaceLandmarker
from facepipe.face.likeness import OTHER_SHAPE, compare, portrayed
from facepipe.face.model import FaceModel
from facepipe.face.remarks import remarks_on
from facepipe.face.track import Track, crop_around
from facepipe.media.decode import decode_frames
from facepipe.media.grid import turned
from facepipe.media.image import read_picture
from facepipe.media.limits import NO_LIMITS, MediaLimits
from facepipe.media.probe import probe_video
from facepipe.pipeline.precheck import inspect
from facepipe.train.pirender.frame_cache import LIST, FrameCache, HeadClip, open_frame_cache, write_frame_cache

Picture = NDArray[np.uint8]
Note = Callable[[str], None]
MAX_FPS = Fraction(25)
LEAST_FRAMES = 2
# Below this a clip is used as a whole; of a longer one, the last tenth judges the training.
SHORT_SECONDS, HELD_OUT_SHARE = 2.0, 0.1


@dataclass(frozen=True)
class PersonFrames:
    """Reads the frames of a person, cropped to the head as in a data set."""

    detector: FaceDetector
    landmarker: FaceLandmarker
    model: FaceModel
    side_pixels: int = 256
    seconds: float = 20.0
    """Length of the part of a clip that is used, from its beginning."""
    face: str = "largest"
    """largest, left, right, or N for the N-th from the left; see `facepipe.face.rule`."""
    limits: MediaLimits = NO_LIMITS
    note: Note = print
    """Receives a sentence about each thing in the inputs that the user should know."""

    def cache(self, inputs: Sequence[Path], folder: Path) -> FrameCache:
        """Open the frames in `folder`; if there are none, read them from one clip, or from two or more pictures.

        Raises InputError for other inputs, for pictures of two people, and for a folder with the frames of others;
        NoFaceError if fewer than two frames show the face.
        """
        kinds = {inspect(path, self.limits).kind for path in inputs}
        if kinds != {"image"} and len(inputs) > 1:
            raise InputError(f"--person names {len(inputs)} files, expected one clip, or pictures only")
        if kinds == {"image"} and len(inputs) < LEAST_FRAMES:
            raise InputError(f"{inputs[0]} is one picture; give a clip of the person, or at least two pictures")
        origin = self._origin(inputs)
        if (folder / LIST).exists():
            if json.loads((folder / LIST).read_text(encoding="utf-8")).get("origin") != origin:
                raise InputError(
                    f"{folder} holds frames of other files, or with other --seconds or --face. Use another --out."
                )
            return open_frame_cache(folder)
        clip = self.of_pictures(inputs) if kinds == {"image"} else self.of_clip(inputs[0])
        write_frame_cache([clip], folder, self.side_pixels, origin)
        return open_frame_cache(folder)

    def _origin(self, inputs: Sequence[Path]) -> str:
        digest = hashlib.sha256(f"{self.side_pixels} {self.seconds} {self.face}".encode())
        for path in inputs:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def of_clip(self, path: Path) -> HeadClip:
        """Return the head in the first seconds of a clip, at 25 frames per second or at the clip's lower rate."""
        info = probe_video(path, self.limits)
        fps = min(info.fps, MAX_FPS)
        count = math.ceil(self.seconds * fps)

        def frames(turn: int) -> Generator[Picture, None, None]:
            return decode_frames(path, info=info.turned(turn), fps=fps, frame_count=count)

        followed = Follower(self.detector, self.landmarker, float(fps), self.face).follow(frames)
        valid = self._person_alone(path, followed, fps)
        if valid.sum() < LEAST_FRAMES:
            raise NoFaceError(
                f"{path}: {valid.sum()} of the first {len(valid)} frames show the face, at least {LEAST_FRAMES} are "
                "needed. Use a clip with a visible face, or choose another one with --face."
            )
        self._remark_on_length(path, len(valid), fps)
        info, points = info.turned(followed.turned_degrees), followed.track.points
        square, box = whole_pixels(crop_around(points[valid], (info.width, info.height)))
        side = self.side_pixels
        cut = decode_frames(path, info=info, fps=fps, frame_count=len(valid), crop=box, size=(side, side))
        return HeadClip(path.stem, path.stem, cut, transform_points(points, square.matrix(side)), valid)

    def _remark_on_length(self, path: Path, frames: int, fps: Fraction) -> None:
        length = float(frames / fps)
        if length < SHORT_SECONDS:
            self.note(f"{path}: {length:.1f} s are used, which is short; 10 s or more show enough of a person")
        elif length < self.seconds - 1:
            self.note(f"{path}: the clip has {length:.1f} s, fewer than --seconds {self.seconds:g}; all of it is used")

    def _person_alone(self, path: Path, followed: Followed, fps: Fraction) -> NDArray[np.bool_]:
        """Return which frames show the person who was chosen first, and make the remarks on the track."""
        track = followed.track
        for remark in remarks_on(followed, fps, self.face):
            if remark.code not in ("several-faces", "other-person"):
                self.note(f"{path}: {remark.text}")
        self._remark_on_choice(path, track)
        valid = track.valid.copy()
        if track.changed_frames:
            first = track.changed_frames[0]
            valid[first:] = False
            self.note(f"{path}: from {float(first / fps):.2f} s on only another person is seen; this part is left out")
        return valid

    def _remark_on_choice(self, path: Path, track: Track) -> None:
        choice = track.choice
        if choice is not None and track.max_faces > 1:
            self.note(
                f"{path}: up to {track.max_faces} faces; the one of --face {self.face} is used, number {choice.number} "
                f"of {choice.faces} from the left in frame {choice.frame}"
            )

    def of_pictures(self, paths: Sequence[Path]) -> HeadClip:
        """Return the heads in pictures of one person, as the frames of a clip."""
        heads = [self._head(path) for path in paths]
        shown = [portrayed(self.model, head, points) for head, points in heads]
        for path, one in zip(paths[1:], shown[1:], strict=True):
            found = compare(self.model, shown[0], one)
            if found.is_other:
                raise InputError(
                    f"{path}: shows another person than {paths[0]}: the shapes of the faces differ by "
                    f"{found.distance:.3f} eye distances, and pictures of one person by less than {OTHER_SHAPE}. Give "
                    "pictures of one person."
                )
        points = np.stack([points for _, points in heads])
        return HeadClip(paths[0].stem, paths[0].stem, [head for head, _ in heads], points, np.ones(len(heads), bool))

    def _head(self, path: Path) -> tuple[Picture, NDArray[np.floating]]:
        """Return the crop of a picture and its (478, 3) points in pixels of the crop."""
        pixels = read_picture(path, self.limits).pixels

        def one(turn: int) -> Generator[Picture, None, None]:
            yield turned(pixels, turn)

        followed = Follower(self.detector, self.landmarker, float(MAX_FPS), self.face).follow(one)
        if not followed.track.valid.any():
            raise NoFaceError(f"{path}: no face was found in it. Leave it out, or choose another face with --face.")
        self._person_alone(path, followed, MAX_FPS)
        picture = turned(pixels, followed.turned_degrees)
        square = crop_around(followed.track.points, (picture.shape[1], picture.shape[0]))
        points = transform_points(followed.track.points[0], square.matrix(self.side_pixels))
        return sample(picture, square, self.side_pixels), points


def whole_pixels(square: SquareCrop) -> tuple[SquareCrop, tuple[int, int, int, int]]:
    """Return an upright crop at whole pixels, and the same as (left, top, width, height)."""
    left, top, length, _ = square.box()
    middle = (length - 1) / 2
    exact = replace(square, center_x=left + middle, center_y=top + middle, side=float(length))
    return exact, (left, top, length, length)


def parts_of(cache: FrameCache, *, still: bool = False) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames with a face to train on, and those held out: the end of a clip that is long enough, else none.

    `still` says that the frames are pictures, which have no order.
    """
    there = np.flatnonzero(cache.valid)
    short = still or len(there) < SHORT_SECONDS * MAX_FPS
    first = len(there) if short else len(there) - max(1, round(HELD_OUT_SHARE * len(there)))
    return there[:first], there[first:]


def spread(rows: NDArray[np.intp], count: int) -> Iterator[int]:
    """Yield `count` of the rows at equal distances, some twice if there are fewer."""
    yield from (int(row) for row in rows[np.linspace(0, len(rows) - 1, count).round().astype(int)])
