"""Tracking of all faces of a video, each for as long as it can be followed.

The detector runs every few frames and whenever a face is lost; in between, the landmarker follows each face in its
crop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, aligned_crop, box_of
from facepipe.face.detector import overlap
from facepipe.face.finding import SAME_FACE_OVERLAP, FaceDetector, Finder
from facepipe.face.landmarker import FaceLandmarker
from facepipe.face.looks import NEAR_FACE_FLOOR, Looks, likeness, looks_of
from facepipe.face.tracking import FOLLOWED_SCORE_FLOOR, is_near

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]

# Frames between two runs of the detector, and frames after which a hidden face is given up.
DETECT_EVERY_FRAMES, MAX_MISSING_FRAMES = 12, 5


@dataclass
class FaceTrack:
    """One face through consecutive frames."""

    face: int
    first_frame: int
    crop: SquareCrop
    looks: Looks
    boxes: list[Floats] = field(default_factory=list)
    """(4,) left, top, right, bottom of the skin points in each frame, in pixels."""
    missing: int = 0
    """Frames since the face was last seen; its last box is repeated for them."""

    @property
    def end_frame(self) -> int:
        """Return the number of the last frame plus one."""
        return self.first_frame + len(self.boxes)


class MultiFaceTracker:
    """Tracks all faces of a video."""

    def __init__(self, detector: FaceDetector, landmarker: FaceLandmarker) -> None:
        self.finder, self.landmarker = Finder(detector, landmarker), landmarker
        self.live: list[FaceTrack] = []
        self.ended: list[FaceTrack] = []
        self.count = 0

    def follow(
        self,
        frames: Iterable[Picture],
        advance: Callable[[int], None] = lambda _: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> list[FaceTrack]:
        """Return the tracks of all faces in (H, W, 3) uint8 RGB frames, by first frame.

        A frame for which `wanted` returns False is skipped; it ends every track.
        """
        for number, frame in enumerate(frames):
            if wanted(number):
                lost = self._follow_all(frame)
                if lost or number % DETECT_EVERY_FRAMES == 0 or not any(not track.missing for track in self.live):
                    self._start_tracks(frame, number)
            else:
                self._end(self.live)
            advance(1)
        self._end(self.live)
        return sorted(self.ended, key=lambda track: (track.first_frame, track.face))

    def _follow_all(self, frame: Picture) -> bool:
        """Follow all faces into the next frame. Returns True if a face is newly lost."""
        if not self.live:
            return False
        located = self.landmarker.locate([frame] * len(self.live), [track.crop for track in self.live])
        lost = False
        for track, points, score in zip(list(self.live), located.points, located.score, strict=True):
            own = aligned_crop(points)
            looks = looks_of(frame, own)
            seen = score >= FOLLOWED_SCORE_FLOOR and likeness(looks, track.looks) >= NEAR_FACE_FLOOR
            lost |= not seen and not track.missing
            track.missing = 0 if seen else track.missing + 1
            track.boxes.append(box_of(points) if seen else track.boxes[-1])
            if seen:
                track.looks, track.crop = looks, track.crop if is_near(own, track.crop) else own
        self._end([track for track in self.live if track.missing > MAX_MISSING_FRAMES or self._is_duplicate(track)])
        return lost

    def _is_duplicate(self, track: FaceTrack) -> bool:
        """Return True if an older track follows the same face."""
        earlier = [other for other in self.live[: self.live.index(track)] if not other.missing]
        return not track.missing and any(
            overlap(track.boxes[-1], other.boxes[-1]) > SAME_FACE_OVERLAP for other in earlier
        )

    def _start_tracks(self, frame: Picture, number: int) -> None:
        """Start a track for each detected face without one."""
        followed = [track.boxes[-1] for track in self.live if not track.missing]
        for face in self.finder.find(frame):
            if all(overlap(face.box, box) < SAME_FACE_OVERLAP for box in followed):
                self.live.append(FaceTrack(self.count, number, face.crop, looks_of(frame, face.crop), [face.box]))
                self.count += 1

    def _end(self, tracks: list[FaceTrack]) -> None:
        for track in list(tracks):
            if track.missing:
                del track.boxes[-track.missing :]
            self.live.remove(track)
            self.ended.append(track)
