"""Following one face through a clip or a still, which is turned or lit if faces are only found then."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.finding import FaceDetector, Finder
from facepipe.face.landmarker import FaceLandmarker
from facepipe.face.light import Light, light_of, stretching
from facepipe.face.looks import Looks
from facepipe.face.person import Person, find_person
from facepipe.face.track import Track
from facepipe.face.tracking import Tracker
from facepipe.face.turning import EARLY_SECONDS, FEW_UPRIGHT_SHARE, FrameSamples, find_turn, is_clear, upright_count
from facepipe.media.grid import turned

Picture = NDArray[np.uint8]
Frames = Generator[Picture, None, None]


class View(NamedTuple):
    """How a medium is seen for its faces."""

    turned_degrees: int = 0
    """Clockwise turn."""
    table: NDArray[np.uint8] | None = None
    """(256,) the level for each level, or None to keep them."""

    def of(self, picture: Picture) -> Picture:
        """Return an (H, W, 3) uint8 RGB picture in this view."""
        return self.lit(turned(picture, self.turned_degrees))

    def lit(self, picture: Picture) -> Picture:
        """Return a picture that is turned already in this view."""
        return picture if self.table is None else np.asarray(cv2.LUT(picture, self.table), np.uint8)

    @property
    def is_plain(self) -> bool:
        """Whether pictures are seen as they are."""
        return not self.turned_degrees and self.table is None


@dataclass(frozen=True)
class Followed:
    """The track of one face, and what was decided to get it."""

    track: Track
    turned_degrees: int = 0
    """Clockwise turn of the medium in which the track is."""
    person: Person | None = None
    """The person in the clip who was taken for that of the reference picture; None without such a picture."""
    light: Light | None = None
    """The light of the medium; None if an upright face was found at once in most samples."""
    is_stretched: bool = False
    """Whether the face was found and followed only with contrast stretched."""


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
        early, views = max(1, round(EARLY_SECONDS * self.fps)), list[View]()

        def is_other_view() -> bool:
            # Asked once, after the first seconds.
            if views or len(tracker.seen) < early:
                return False
            views.append(_view_of(tracker, samples))
            return not views[-1].is_plain

        with closing(open_frames(0)) as frames:
            track = tracker.track(samples.passing(frames), self.advance, is_other_view)
        if not views or (views[-1].is_plain and track.valid.mean() < FEW_UPRIGHT_SHARE):
            views.append(_view_of(tracker, samples))
        # Only a medium with few faces is asked for its light.
        few = not len(track.valid) or track.valid.mean() < FEW_UPRIGHT_SHARE
        light = light_of(samples.pictures) if few and samples.pictures else None
        if views[-1].is_plain:
            return Followed(track, light=light)
        self.advance(-len(track.valid))
        return self._in_view(views[-1], open_frames, light)

    def _in_view(
        self, view: View, open_frames: Callable[[int], Frames], light: Light | None, person: Person | None = None
    ) -> Followed:
        with closing(open_frames(view.turned_degrees)) as frames:
            track = self.tracker(person).track(map(view.lit, frames), self.advance)
        return Followed(track, view.turned_degrees, person, light, view.table is not None)

    def follow_person(
        self, wanted: Looks, pictures: Sequence[Picture], open_frames: Callable[[int], Frames]
    ) -> Followed | None:
        """Follow the person who looks most like the wanted one in the sampled `pictures`; None if nobody does."""
        finder = self.tracker().finder
        person, view = find_person(finder, wanted, pictures), View()
        if person is None and not (view := find_view(finder, pictures)).is_plain:
            person = find_person(finder, wanted, [view.of(one) for one in pictures])
        if person is None:
            return None
        return self._in_view(view, open_frames, light_of(pictures), person)


def _view_of(tracker: Tracker, samples: FrameSamples) -> View:
    """Return the view of the clip that was tracked; a plain one if it is upright or shows too few faces to tell."""
    if samples.show_upright_faces(tracker.landmarker, tracker.seen):
        return View()
    return find_view(tracker.finder, samples.pictures)


def find_view(finder: Finder, pictures: Sequence[Picture]) -> View:
    """Return the view in which clearly more of the pictures show an upright face: turned, in better light, or both."""
    if turn := find_turn(finder, pictures):
        return View(turn)
    light = light_of(pictures)
    if not light.is_poor:
        return View()
    lit = View(0, stretching(light))
    better = [lit.of(one) for one in pictures]
    if is_clear(upright_count(finder, better), upright_count(finder, pictures), len(pictures)):
        return lit
    if turn := find_turn(finder, better):
        return lit._replace(turned_degrees=turn)
    # The points of a face with hardly any structure are less steady.
    count = upright_count(finder, better, steady=False)
    return lit if is_clear(count, upright_count(finder, pictures, steady=False), len(pictures)) else View()
