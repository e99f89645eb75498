"""Tracking of one face through a clip.

The detector runs only when there is no face to follow. Otherwise the landmarker sees each frame through one crop, which
is kept as long as the face stays well inside it: a crop that moved with every frame would make still faces jitter.

The person who is chosen first stays the followed one. Appearance and place decide together whether a face is theirs;
frames that show only other people have no face. If the person stays away for `PATIENCE_SECONDS`, or a shot shows only
other people from its beginning, the rule chooses again among the people who are there, until the first person returns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, aligned_crop, box_of
from facepipe.face.detector import overlap
from facepipe.face.finding import Face, FaceDetector, Finder, choose_face
from facepipe.face.landmarker import FaceLandmarker, Seen
from facepipe.face.looks import (
    ALONE_FACE_FLOOR,
    NEAR_FACE_FLOOR,
    SAME_FACE_FLOOR,
    Gallery,
    Looks,
    correlation,
    looks_of,
    same_scene,
    scene_of,
)
from facepipe.face.person import Person
from facepipe.face.shots import ShotCounter
from facepipe.face.track import Choice, Track

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
NOTHING = Seen(np.zeros((478, 3), np.float32), 0.0)
# Time without the person after which the rule chooses somebody else.
PATIENCE_SECONDS = 5.0
# Interval of the checks that a face in a kept crop is still the person's, and that the first person is back.
CHECK_SECONDS = 0.5
# A face overlaps the last place of the person by more, and appears sooner, to be accepted as near.
NEAR_OVERLAP, NEAR_SECONDS = 0.3, 0.5
# Correlation with the looks of a moment ago from which a face that was not lost is the same in another light or view.
STEADY_FLOOR = 0.6
# The same from which such a look is learnt, although it is unlike the others: a head that turns away slowly.
LEARNT_FLOOR = 0.9
# Advantage of a near face over others with the same likeness.
NEAR_ADVANTAGE = 0.2


def never() -> bool:
    """Return False: tracking goes on to the last frame."""
    return False


class Tracker:
    """Follows the face that a rule chooses, or that of a given person, and finds it again after a loss."""

    def __init__(
        self,
        detector: FaceDetector,
        landmarker: FaceLandmarker,
        *,
        face: str = "largest",
        fps: float = 25.0,
        person: Person | None = None,
    ) -> None:
        self.finder, self.landmarker, self.rule, self.fps = Finder(detector, landmarker), landmarker, face, fps
        self.person = person
        self.gallery = Gallery(person.looks if person else ())
        self.former: Gallery | None = None
        self.last: Looks | None = None
        self.scene: NDArray[np.float32] | None = None
        self.crop: SquareCrop | None = None
        self.box: NDArray[np.floating] | None = None
        self.seen: list[Seen] = []
        self.shots = ShotCounter()
        self.choice: Choice | None = None
        self.changed_frames: list[int] = []
        # The current frame, the last one with the face, and the last one in which the person was checked.
        self.frame, self.last_frame, self.checked_frame = 0, 0, 0
        self.detections = self.max_faces = 0

    def track(
        self,
        frames: Iterable[Picture],
        advance: Callable[[int], None] = lambda _: None,
        gives_up: Callable[[], bool] = never,
    ) -> Track:
        """Follow the face through (H, W, 3) uint8 RGB frames, a few at a time in memory.

        `gives_up` is called after every few frames, when `seen` holds them; True ends the track there.
        """
        seen: list[Seen] = []
        stream, self.seen = self.shots.passing(frames), seen
        while batch := list(itertools.islice(stream, BATCH_FRAMES)):
            self._return_to_former(batch[0])
            seen += self._follow(batch)
            advance(len(batch))
            if gives_up():
                break
        score = np.array([one.score for one in seen], np.float32)
        points = np.stack([one.points for one in seen]) if seen else np.zeros((0, 478, 3), np.float32)
        valid, own = score >= FOLLOWED_SCORE_FLOOR, _sixty_eight(seen)
        changed, counts = tuple(self.changed_frames), (self.detections, self.max_faces)
        return Track(points, valid, score, *counts, own, self.shots.shots()[: len(seen)], self.choice, changed)

    def _follow(self, batch: list[Picture]) -> Iterator[Seen]:
        """Yield the result for the followed face in each frame of a batch, `NOTHING` without a face."""
        while batch:
            if self.crop is None and not self._find(batch[0]):
                self.frame += 1
                yield NOTHING
                batch = batch[1:]
                continue
            assert self.crop is not None
            located, kept = self.landmarker.locate(batch, [self.crop] * len(batch)), 0
            for frame, one in zip(batch, map(located.row, range(len(batch))), strict=True):
                if not self._stays(frame, one):
                    break
                kept += 1
                yield self._noted(one)
            if kept < len(batch):
                yield self._recenter(batch[kept], located.row(kept))
            batch = batch[kept + 1 :]

    def _noted(self, one: Seen) -> Seen:
        """Note where the face is in the current frame, and go on to the next."""
        self.box, self.last_frame = box_of(one.points), self.frame
        self.frame += 1
        return one

    def _stays(self, frame: Picture, one: Seen) -> bool:
        """Return True if the face is well inside the kept crop and, checked now and then, still the person's."""
        assert self.crop is not None
        own = aligned_crop(one.points)
        if one.score < FOLLOWED_SCORE_FLOOR or not is_near(own, self.crop):
            return False
        if self.frame - self.checked_frame < CHECK_SECONDS * self.fps and not self._is_cut_after(self.checked_frame):
            return True
        return self._is_person(frame, looks_of(frame, own))

    def _recenter(self, frame: Picture, seen: Seen) -> Seen:
        """Move the crop to a face that has left it, or find the face again. Returns the result in the new crop."""
        own = aligned_crop(seen.points)
        drifted = self.crop is not None and is_near(own, self.crop, times=DRIFT)
        if seen.score < FOLLOWED_SCORE_FLOOR or not (self._take if drifted else self._settle)(frame, own):
            self.crop = None
            if not self._find(frame):
                self.frame += 1
                return NOTHING
        assert self.crop is not None
        one = self.landmarker.locate([frame], [self.crop]).row(0)
        return self._noted(one._replace(score=max(one.score, FOLLOWED_SCORE_FLOOR)))

    def _settle(self, frame: Picture, crop: SquareCrop) -> bool:
        """Realign a crop so that the face is upright. Returns False if it shows no face or another person's."""
        located = self.landmarker.locate([frame], [crop])
        if located.score[0] < FOLLOWED_SCORE_FLOOR:
            return False
        return self._take(frame, aligned_crop(located.points[0]))

    def _take(self, frame: Picture, crop: SquareCrop) -> bool:
        """Move the crop with the followed face. Returns False if it shows somebody else."""
        if not self._is_person(frame, looks_of(frame, crop)):
            return False
        self.crop = crop
        return True

    def _is_person(self, frame: Picture, looks: Looks) -> bool:
        """Return True if looks in the place of the followed person are theirs, and learn them if they are certain."""
        found, steadiness = self.gallery.likeness(looks) if self.gallery else 1.0, self._steadiness(looks)
        if found < NEAR_FACE_FLOOR and steadiness < STEADY_FLOOR:
            return False
        self._remember(frame, looks, certain=found >= SAME_FACE_FLOOR or steadiness >= LEARNT_FLOOR)
        return True

    def _remember(self, frame: Picture, looks: Looks, *, certain: bool) -> None:
        self.checked_frame, self.last, self.scene = self.frame, looks, scene_of(frame)
        # Doubtful looks are not learnt, or the gallery would pass from one person to the next.
        if certain:
            self.gallery.learn(looks)

    def _steadiness(self, looks: Looks) -> float:
        """Return the correlation with the looks of the followed face a moment ago; 0 if it was lost."""
        recent = self.crop is not None and self.frame - self.checked_frame <= 2 * CHECK_SECONDS * self.fps
        steady = recent and not self._is_cut_after(self.checked_frame)
        return correlation(looks, self.last) if steady and self.last is not None else 0.0

    def _is_cut_after(self, frame: int) -> bool:
        """Return True if a shot begins between a frame (exclusive) and the current one (inclusive)."""
        return self.shots.begin_before(self.frame) > frame

    def _find(self, frame: Picture) -> bool:
        """Detect the faces of a frame. Returns True if the followed person is there, whose crop is then set."""
        found = self._detect(frame)
        if not self.gallery:
            return self._choose(frame, found)
        cut = self._is_cut_after(self.last_frame)
        if cut and self._is_former(frame, found):
            return True
        if one := self._best(frame, found, self.gallery):
            if self.choice is None:
                self.choice = _choice_of(one, found, self.frame)
            looks = looks_of(frame, one.crop)
            self._remember(frame, looks, certain=self.gallery.likeness(looks) >= SAME_FACE_FLOOR)
            self.crop = one.crop
            return True
        absent = self.frame - self.last_frame
        patient = absent <= PATIENCE_SECONDS * self.fps and not cut
        if self.person is not None or not found or patient:
            return False
        self.former, self.gallery = self.former or self.gallery, Gallery()
        if not self._choose(frame, found):
            return False
        self.changed_frames.append(self.frame)
        return True

    def _choose(self, frame: Picture, found: list[Face]) -> bool:
        """Start to follow the face that the rule chooses. Returns False if there is no such face."""
        one = choose_face(found, self.rule)
        if one is None:
            return False
        if self.choice is None:
            self.choice = _choice_of(one, found, self.frame)
        self._remember(frame, looks_of(frame, one.crop), certain=True)
        self.crop = one.crop
        return True

    def _best(self, frame: Picture, found: list[Face], gallery: Gallery) -> Face | None:
        """Return the face that is the person's by appearance and place, or None."""
        recent = self.frame - self.last_frame <= NEAR_SECONDS * self.fps and not self._is_cut_after(self.last_frame)
        alone = self.max_faces == 1 and self.scene is not None and same_scene(scene_of(frame), self.scene)
        floor = ALONE_FACE_FLOOR if alone else NEAR_FACE_FLOOR
        best, best_merit = None, -np.inf
        for one in found:
            near = recent and self.box is not None and overlap(one.box, self.box) >= NEAR_OVERLAP
            own = gallery.likeness(looks_of(frame, one.crop))
            merit = own + NEAR_ADVANTAGE * near
            if own >= (floor if near else SAME_FACE_FLOOR) and merit > best_merit:
                best, best_merit = one, merit
        return best

    def _return_to_former(self, frame: Picture) -> None:
        """While somebody else is followed, look for the first person now and then, and return to them."""
        if self.former is None or (self.frame - self.changed_frames[-1]) % max(2, round(CHECK_SECONDS * self.fps)) > 1:
            return
        self._is_former(frame, self._detect(frame))

    def _is_former(self, frame: Picture, found: list[Face]) -> bool:
        """Return True if the first person, whom somebody else replaced, is among the faces; they are followed again."""
        if self.former is None:
            return False
        self.box = None
        one = self._best(frame, found, self.former)
        if one is None:
            return False
        self.crop, self.gallery, self.former = one.crop, self.former, None
        self.checked_frame = self.frame
        self.changed_frames.append(self.frame)
        return True

    def _detect(self, frame: Picture) -> list[Face]:
        found = self.finder.find(frame)
        self.detections += 1
        self.max_faces = max(self.max_faces, len(found))
        return found


def _choice_of(one: Face, found: list[Face], frame: int) -> Choice:
    """Describe which of the faces of a frame was chosen."""
    middle = float(one.box[0] + one.box[2])
    return Choice(frame, 1 + sum(float(other.box[0] + other.box[2]) < middle for other in found), len(found))


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
