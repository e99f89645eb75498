"""Following one face through a clip or a still, which is turned if faces are upright only then."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face.finding import FaceDetector
from facepipe.face.landmarker import FaceLandmarker
from facepipe.face.looks import Looks
from facepipe.face.person import Person, find_person
from facepipe.face.track import Track
from facepipe.face.tracking import Tracker
from facepipe.face.turning import EARLY_SECONDS, FEW_UPRIGHT_SHARE, FrameSamples, find_turn
from facepipe.media.grid import turned

Picture = NDArray[np.uint8]
Frames = Generator[Picture, None, None]


@dataclass(frozen=True)
class Followed:
    """The track of one face, and what was decided to get it."""

    track: Track
    turned_degrees: int = 0
    """Clockwise turn of the medium in which the track is."""
    person: Person | None = None
    """The person in the clip who was taken for that of the reference picture; None without such a picture."""


@dataclass(frozen=True)
class Follower:
    """Follows the face that a rule chooses, or the person on a reference picture."""

    detector: FaceDetector
    landmarker: FaceLandmarker
    fps: float
    face: str = "largest"
    advance: Callable[[int], None] = lambda _: None

    def tracker(self, person: Person | None = None) -> Tracker:
        """Return a tracker that has seen nothing."""
        return Tracker(self.detector, self.landmarker, face=self.face, fps=self.fps, person=person)

    def follow(self, open_frames: Callable[[int], Frames]) -> Followed:
        """Follow the face that the rule chooses. `open_frames` takes the clockwise turn of the frames in degrees."""
        tracker, samples = self.tracker(), FrameSamples()
        early, turns = max(1, round(EARLY_SECONDS * self.fps)), list[int]()

        def is_turned() -> bool:
            # Asked once, after the first seconds.
            if turns or len(tracker.seen) < early:
                return False
            turns.append(_turn_of(tracker, samples))
            return turns[-1] != 0

        with closing(open_frames(0)) as frames:
            track = tracker.track(samples.passing(frames), self.advance, is_turned)
        if not turns or (not turns[-1] and track.valid.mean() < FEW_UPRIGHT_SHARE):
            turns.append(_turn_of(tracker, samples))
        if not turns[-1]:
            return Followed(track)
        self.advance(-len(track.valid))
        with closing(open_frames(turns[-1])) as frames:
            return Followed(self.tracker().track(frames, self.advance), turns[-1])

    def follow_person(
        self, wanted: Looks, pictures: Sequence[Picture], open_frames: Callable[[int], Frames]
    ) -> Followed | None:
        """Follow the person who looks most like the wanted one in the sampled `pictures`; None if nobody does."""
        finder = self.tracker().finder
        person, turn = find_person(finder, wanted, pictures), 0
        if person is None and (turn := find_turn(finder, pictures)):
            person = find_person(finder, wanted, [turned(one, turn) for one in pictures])
        if person is None:
            return None
        with closing(open_frames(turn)) as frames:
            return Followed(self.tracker(person).track(frames, self.advance), turn, person)


def _turn_of(tracker: Tracker, samples: FrameSamples) -> int:
    """Return the turn of the clip that was tracked; 0 if it is upright or shows too few faces to tell."""
    if samples.show_upright_faces(tracker.landmarker, tracker.seen):
        return 0
    return find_turn(tracker.finder, samples.pictures)
