"""Tracking of one face through a clip.

The detector runs only when there is no face to follow. Otherwise the landmarker sees each frame through one crop, which
is kept as long as the face stays well inside it: a crop that moved with every frame would make still faces jitter.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, aligned_crop, box_of, sample
from facepipe.face.detector import overlap
from facepipe.face.finding import Face, FaceDetector, Finder, choose_face
from facepipe.face.landmarker import FaceLandmarker, Seen
from facepipe.face.shots import ShotCounter
from facepipe.face.track import Track

Picture = NDArray[np.uint8]
# Frames that the landmarker sees together. If the face leaves the crop in the first, the second is located again.
BATCH_FRAMES = 2
# Lower than the threshold for new faces: a followed head may turn away, or a hand may pass in front of it.
FOLLOWED_SCORE_FLOOR = 0.25
# A crop is kept while the face's aligned crop differs by less: shift in sides, log ratio of the sides, and angle in
# radians.
KEPT_SHIFT, KEPT_SIZE, KEPT_TURN = 0.03, 0.05, 0.075
# Up to this multiple of those limits, points seen through the old crop are accurate enough to place the new one.
DRIFT = 4.0
# A face whose correlation with the followed face is lower belongs to another person (thumbnails of both).
SAME_FACE_FLOOR = 0.35
THUMBNAIL_PIXELS = 16
NOTHING = Seen(np.zeros((478, 3), np.float32), 0.0)
# After a switch to another person, search for the previous face in this many batches: it may only have been hidden.
PATIENCE_BATCHES = 12


class Tracker:
    """Follows the face that a rule chooses, and finds it again by position and appearance after a loss."""

    def __init__(self, detector: FaceDetector, landmarker: FaceLandmarker, *, face: str = "largest") -> None:
        self.finder, self.landmarker, self.rule = Finder(detector, landmarker), landmarker, face
        self.crop: SquareCrop | None = None
        self.box: NDArray[np.floating] | None = None
        self.looks: NDArray[np.float32] | None = None
        self.former: NDArray[np.float32] | None = None
        self.patience = 0
        self.detections = self.max_faces = 0

    def track(self, frames: Iterable[Picture], advance: Callable[[int], None] = lambda _: None) -> Track:
        """Follow the face through (H, W, 3) uint8 RGB frames, a few at a time in memory."""
        seen: list[Seen] = []
        stream, shots = iter(frames), ShotCounter()
        while batch := list(itertools.islice(stream, BATCH_FRAMES)):
            self._return_to_former(batch[0])
            seen += self._follow(batch)
            for frame in batch:
                shots.see(frame)
            advance(len(batch))
        score = np.array([one.score for one in seen], np.float32)
        points = np.stack([one.points for one in seen]) if seen else np.zeros((0, 478, 3), np.float32)
        valid, own = score >= FOLLOWED_SCORE_FLOOR, _sixty_eight(seen)
        return Track(points, valid, score, self.detections, self.max_faces, own, shots.shots())

    def _follow(self, batch: list[Picture]) -> Iterator[Seen]:
        """Yield the result for the followed face in each frame of a batch, `NOTHING` without a face."""
        while batch:
            if self.crop is None and not self._find(batch[0]):
                yield NOTHING
                batch = batch[1:]
                continue
            assert self.crop is not None
            located, kept = self.landmarker.locate(batch, [self.crop] * len(batch)), 0
            for one in map(located.row, range(len(batch))):
                if one.score < FOLLOWED_SCORE_FLOOR or not is_near(aligned_crop(one.points), self.crop):
                    break
                kept += 1
                self.box = box_of(one.points)
                yield one
            if kept < len(batch):
                yield self._recenter(batch[kept], located.row(kept))
            batch = batch[kept + 1 :]

    def _recenter(self, frame: Picture, seen: Seen) -> Seen:
        """Move the crop to a face that has left it, or find the face again. Returns the result in the new crop."""
        own = aligned_crop(seen.points)
        drifted = self.crop is not None and is_near(own, self.crop, times=DRIFT)
        if seen.score < FOLLOWED_SCORE_FLOOR or not (self._take if drifted else self._settle)(frame, own):
            self.crop = None
            if not self._find(frame):
                return NOTHING
        assert self.crop is not None
        one = self.landmarker.locate([frame], [self.crop]).row(0)
        self.box = box_of(one.points)
        return one._replace(score=max(one.score, FOLLOWED_SCORE_FLOOR))

    def _settle(self, frame: Picture, crop: SquareCrop) -> bool:
        """Realign a crop so that the face is upright. Returns False if it shows no face or another person's."""
        located = self.landmarker.locate([frame], [crop])
        if located.score[0] < FOLLOWED_SCORE_FLOOR:
            return False
        return self._take(frame, aligned_crop(located.points[0]))

    def _take(self, frame: Picture, crop: SquareCrop) -> bool:
        """Follow the face in a crop from now on. Returns False if it does not look like the followed face."""
        if not self._same_face(frame, crop):
            return False
        self.crop = crop
        return True

    def _same_face(self, frame: Picture, crop: SquareCrop) -> bool:
        looks = looks_of(frame, crop)
        if self.looks is not None and likeness(looks, self.looks) < SAME_FACE_FLOOR:
            return False
        self.looks = looks
        return True

    def _find(self, frame: Picture) -> bool:
        """Detect the faces of a frame and choose one. Returns True if there is one to follow."""
        found = self._detect(frame)
        if any(self._take(frame, choice.crop) for choice in self._preferred(found)):
            return True
        if self.looks is None or not found:
            return False
        # No face looks like the followed one: a cut, too large a change of light or view, or another head hides it.
        if self.former is None:
            self.former, self.patience = self.looks, PATIENCE_BATCHES
        self.looks, choice_by_rule = None, choose_face(found, self.rule)
        return choice_by_rule is not None and self._take(frame, choice_by_rule.crop)

    def _return_to_former(self, frame: Picture) -> None:
        """After a switch to another person, return to the previous face if it is visible again."""
        if self.former is None:
            return
        self.patience -= 1
        likenesses = [(likeness(looks_of(frame, one.crop), self.former), one.crop) for one in self._detect(frame)]
        best, crop = max(likenesses, key=lambda pair: pair[0], default=(0.0, self.crop))
        if best >= SAME_FACE_FLOOR and crop is not None:
            self.crop, self.looks, self.former = crop, looks_of(frame, crop), None
        elif not self.patience:
            self.former = None

    def _detect(self, frame: Picture) -> list[Face]:
        found = self.finder.find(frame)
        self.detections += 1
        self.max_faces = max(self.max_faces, len(found))
        return found

    def _preferred(self, found: list[Face]) -> list[Face]:
        """Return the faces, the most likely continuation of the followed face first."""
        box = self.box
        if box is not None and self.looks is not None:
            return sorted(found, key=lambda one: -overlap(one.box, box))
        choice = choose_face(found, self.rule)
        return [] if choice is None else [choice]


def _sixty_eight(seen: list[Seen]) -> NDArray[np.float32] | None:
    """Return the (T, 68, 3) points of a landmarker that finds 68 points; zero without a face, None for any other."""
    if all(one.sixty_eight is None for one in seen):
        return None
    nothing = np.zeros((68, 3), np.float32)
    return np.stack([nothing if one.sixty_eight is None else one.sixty_eight for one in seen])


def is_near(own: SquareCrop, kept: SquareCrop, *, times: float = 1.0) -> bool:
    """Return True if a face's aligned crop `own` is close enough to the current crop `kept` to keep that.

    `times` multiplies the limits.
    """
    shift = np.hypot(own.center_x - kept.center_x, own.center_y - kept.center_y) / kept.side
    turn = (own.angle_radians - kept.angle_radians + np.pi) % (2 * np.pi) - np.pi
    growth = abs(np.log(own.side / kept.side))
    return bool(shift < times * KEPT_SHIFT and growth < times * KEPT_SIZE and abs(turn) < times * KEPT_TURN)


def looks_of(frame: Picture, crop: SquareCrop) -> NDArray[np.float32]:
    """Return the (16, 16, 3) thumbnail of a face, normalised against lighting, to compare by correlation."""
    small = cv2.resize(
        sample(frame, crop, 4 * THUMBNAIL_PIXELS), (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), interpolation=cv2.INTER_AREA
    )
    values = small.astype(np.float32)
    values -= values.mean((0, 1))
    return values / max(float(values.std()), 1e-3)


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the correlation of two thumbnails from `looks_of`; 1 if they are equal."""
    return float((first * second).mean())
