"""Following every face of a video at once, for as long as each can be followed.

The detector looks now and then, and whenever a face was lost; in between the landmarker follows each through its crop.
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
from facepipe.face.tracking import FOLLOWED_SCORE_FLOOR, SAME_FACE_FLOOR, is_near, likeness, looks_of

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]

# How many frames pass between two looks for new faces, and for how many a face may be hidden.
LOOK_EVERY, MOST_MISSING = 12, 5


@dataclass
class Run:
    """One face through consecutive frames."""

    face: int
    first_frame: int
    crop: SquareCrop
    looks: NDArray[np.float32]
    boxes: list[Floats] = field(default_factory=list)
    """(4,) left, top, right, bottom of the skin's points in each frame, in pixels."""
    missing: int = 0
    """For how many frames it has not been seen; the last box stands for them."""

    @property
    def end_frame(self) -> int:
        """Return the frame after its last."""
        return self.first_frame + len(self.boxes)


class Crowd:
    """Follows all faces."""

    def __init__(self, detector: FaceDetector, landmarker: FaceLandmarker) -> None:
        self.finder, self.landmarker = Finder(detector, landmarker), landmarker
        self.live: list[Run] = []
        self.ended: list[Run] = []
        self.count = 0

    def follow(
        self,
        frames: Iterable[Picture],
        advance: Callable[[int], None] = lambda _: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> list[Run]:
        """Return the runs of all faces through (H, W, 3) uint8 RGB frames, by their first frame; unwanted ones end."""
        for number, frame in enumerate(frames):
            if wanted(number):
                lost = self._go_on(frame)
                if lost or number % LOOK_EVERY == 0 or not any(not run.missing for run in self.live):
                    self._meet(frame, number)
            else:
                self._end(self.live)
            advance(1)
        self._end(self.live)
        return sorted(self.ended, key=lambda run: (run.first_frame, run.face))

    def _go_on(self, frame: Picture) -> bool:
        """Follow the faces into the next frame; tell whether one was just lost."""
        if not self.live:
            return False
        located = self.landmarker.locate([frame] * len(self.live), [run.crop for run in self.live])
        lost = False
        for run, points, score in zip(list(self.live), located.points, located.score, strict=True):
            own = aligned_crop(points)
            looks = looks_of(frame, own)
            seen = score >= FOLLOWED_SCORE_FLOOR and likeness(looks, run.looks) >= SAME_FACE_FLOOR
            lost |= not seen and not run.missing
            run.missing = 0 if seen else run.missing + 1
            run.boxes.append(box_of(points) if seen else run.boxes[-1])
            if seen:
                run.looks, run.crop = looks, run.crop if is_near(own, run.crop) else own
        self._end([run for run in self.live if run.missing > MOST_MISSING or self._is_double(run)])
        return lost

    def _is_double(self, run: Run) -> bool:
        """Tell whether an older run has come to follow the same face."""
        earlier = [other for other in self.live[: self.live.index(run)] if not other.missing]
        return not run.missing and any(overlap(run.boxes[-1], other.boxes[-1]) > SAME_FACE_OVERLAP for other in earlier)

    def _meet(self, frame: Picture, number: int) -> None:
        """Begin a run for each face that nobody follows."""
        followed = [run.boxes[-1] for run in self.live if not run.missing]
        for face in self.finder.find(frame):
            if all(overlap(face.box, box) < SAME_FACE_OVERLAP for box in followed):
                self.live.append(Run(self.count, number, face.crop, looks_of(frame, face.crop), [face.box]))
                self.count += 1

    def _end(self, runs: list[Run]) -> None:
        for run in list(runs):
            if run.missing:
                del run.boxes[-run.missing :]
            self.live.remove(run)
            self.ended.append(run)
