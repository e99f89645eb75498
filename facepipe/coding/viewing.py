"""The encoder's view of a clip: the square around the face, cut out of each frame, with the landmarks of the face."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, aligned_crop, sample, transform_points
from facepipe.face.looks import Gallery, Looks
from facepipe.face.track import Track, crop_around
from facepipe.face.tracking import Tracker

if TYPE_CHECKING:
    from facepipe.coding.faces import FaceReader

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
# The square is chosen from the first frames that show the face, of which so much is in memory.
FRAMING_SECONDS, FRAMING_BYTES = 2.0, 192 << 20


@dataclass(frozen=True)
class Followed:
    """What the view of a segment passes on to the next one."""

    square: SquareCrop | None = None
    """The square that all frames show, in pixels of the picture; None until a face was found."""
    crop: SquareCrop | None = None
    """Where the face was in the last frame."""
    looks: tuple[Looks, ...] = ()
    """How the followed person looks."""


@dataclass(frozen=True)
class View:
    """T consecutive frames."""

    pictures: Picture
    """(T, S, S, 3) RGB, the square of each frame."""
    points: Floats
    """(T, 478, 3) landmarks in pixels of `pictures`."""
    valid: NDArray[np.bool_]
    """(T,) frames in which the face was found."""
    shot: NDArray[np.int32]
    """(T,) number of the shot."""
    fps: float
    square: SquareCrop = field(default_factory=lambda: SquareCrop(0, 0, 1))
    picture_size: tuple[int, int] = (0, 0)
    """Width and height of the whole picture in pixels."""

    def __len__(self) -> int:
        return len(self.pictures)

    def rows(self, first: int, end: int) -> View:
        """Return frames from `first` to `end` (exclusive)."""
        cut = slice(first, end)
        return View(
            self.pictures[cut],
            self.points[cut],
            self.valid[cut],
            self.shot[cut],
            self.fps,
            self.square,
            self.picture_size,
        )


class Viewer:
    """Cuts the face out of frames, and follows it from segment to segment."""

    def __init__(self, faces: FaceReader, fps: float, size_pixels: int, *, face: str = "largest") -> None:
        self.faces, self.fps, self.size, self.face = faces, fps, size_pixels, face
        self.followed = Followed()

    def view(self, frames: Iterable[Picture], advance: Callable[[int], None] = lambda _: None) -> View:
        """Return the view of (H, W, 3) uint8 RGB frames, of which only the squares are kept.

        The first call that sees a face chooses the square; frames of a clip without a face before that show the
        centre of the picture.
        """
        frames = iter(frames)
        if self.followed.square is None:
            frames = itertools.chain(self._framed(frames), frames)
        first = next(frames)
        size = (first.shape[1], first.shape[0])
        square = self.followed.square or centred(size)
        squares: list[Picture] = []

        def passing() -> Iterator[Picture]:
            for frame in itertools.chain([first], frames):
                squares.append(sample(frame, square, self.size))
                yield frame

        tracker = self._tracker()
        track = tracker.track(passing(), advance)
        self.followed = _after(self.followed, track, tracker)
        points = transform_points(track.points.astype(np.float64).reshape(-1, 3), square.matrix(self.size))
        return View(np.stack(squares), points.reshape(-1, 478, 3), track.valid, track.shots, self.fps, square, size)

    def _framed(self, frames: Iterator[Picture]) -> list[Picture]:
        """Take the first frames and choose the square around the face in them. Returns the frames."""
        first = next(frames)
        count = min(round(FRAMING_SECONDS * self.fps), FRAMING_BYTES // first.nbytes)
        taken = [first, *itertools.islice(frames, max(count, 1) - 1)]
        track = self._tracker().track(iter(taken))
        if track.valid.any():
            square = crop_around(track.points[track.valid], (first.shape[1], first.shape[0]))
            self.followed = Followed(square, self.followed.crop, self.followed.looks)
        return taken

    def _tracker(self) -> Tracker:
        tracker = Tracker(self.faces.detector, self.faces.landmarker, face=self.face, fps=self.fps)
        tracker.crop, tracker.gallery = self.followed.crop, Gallery(self.followed.looks)
        return tracker


def centred(size: tuple[int, int]) -> SquareCrop:
    """Return the largest square in the centre of a picture of (width, height) pixels."""
    return SquareCrop((size[0] - 1) / 2, (size[1] - 1) / 2, float(min(size)))


def _after(before: Followed, track: Track, tracker: Tracker) -> Followed:
    crop = aligned_crop(track.points[-1]) if track.valid[-1] else None
    return Followed(before.square, crop, tuple(tracker.gallery.looks))


def save_followed(followed: Followed, path: Path, plan: NDArray[np.uint8]) -> None:
    """Write the state to an .npz file, with the coded `plan`."""
    looks = followed.looks
    np.savez(
        path,
        square=_numbers(followed.square),
        crop=_numbers(followed.crop),
        thumbnail=np.array([one.thumbnail for one in looks], np.float32),
        skin=np.array([one.skin for one in looks], np.float32),
        relative=np.array([one.relative for one in looks], np.float32),
        plan=plan,
    )


def load_followed(path: Path) -> Followed:
    """Read what `save_followed` wrote."""
    with np.load(path, allow_pickle=False) as file:
        looks = tuple(Looks(*parts) for parts in zip(file["thumbnail"], file["skin"], file["relative"], strict=True))
        return Followed(_crop(file["square"]), _crop(file["crop"]), looks)


def _numbers(crop: SquareCrop | None) -> Floats:
    return np.array([crop.center_x, crop.center_y, crop.side, crop.angle_radians] if crop else [], np.float64)


def _crop(numbers: Floats) -> SquareCrop | None:
    return SquareCrop(*(float(number) for number in numbers)) if len(numbers) else None
