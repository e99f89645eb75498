"""Face finding in pictures: the detector proposes, the landmarker confirms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, aligned_crop, box_crop, box_of
from facepipe.face.detector import Detection, overlap
from facepipe.face.landmarker import FaceLandmarker

Picture = NDArray[np.uint8]
# Minimum sum of the log odds of both networks: a doubtful proposal needs a confident confirmation.
EVIDENCE_FLOOR = 5.0
# Number of times the landmarker sees a proposal, each time in the crop derived from the previous pass.
ROUNDS = 3
MAX_PROPOSALS = 16
SAME_FACE_OVERLAP = 0.4


class FaceDetector(Protocol):
    """Interface of a face detector."""

    def detect(self, picture: Picture) -> list[Detection]:
        """Return the likely faces of an (H, W, 3) uint8 RGB picture, the best first."""
        ...


class Face(NamedTuple):
    """A face that both networks agree on."""

    box: NDArray[np.floating]
    """(4,) left, top, right, bottom of the 468 skin points, in pixels."""
    score: float
    """Confidence of the landmarker, 0 to 1."""
    crop: SquareCrop
    """Crop that shows the face upright."""


def log_odds(score: float) -> float:
    """Return the log odds of a score in [0, 1], which is first clamped to [0.001, 0.999]."""
    bounded = min(max(score, 1e-3), 1 - 1e-3)
    return math.log(bounded / (1 - bounded))


class Finder:
    """Finds all faces of a picture."""

    def __init__(self, detector: FaceDetector, landmarker: FaceLandmarker) -> None:
        self.detector, self.landmarker = detector, landmarker

    def find(self, picture: Picture) -> list[Face]:
        """Return the faces of an (H, W, 3) uint8 RGB picture, the most confident first."""
        proposals = self.detector.detect(picture)[:MAX_PROPOSALS]
        crops = [box_crop(proposal.box) for proposal in proposals]
        faces: list[Face] = []
        for _ in range(ROUNDS):
            if not crops:
                return []
            located = self.landmarker.locate([picture] * len(crops), crops)
            faces = [
                Face(box_of(points), float(score), aligned_crop(points))
                for points, score in zip(located.points, located.score, strict=True)
            ]
            crops = [face.crop for face in faces]
        evidence = [log_odds(one.score) + log_odds(face.score) for one, face in zip(proposals, faces, strict=True)]
        order = sorted(range(len(faces)), key=lambda index: -evidence[index])
        sure = [faces[index] for index in order if evidence[index] >= EVIDENCE_FLOOR]
        kept: list[Face] = []
        for face in sure:
            if all(overlap(face.box, other.box) < SAME_FACE_OVERLAP for other in kept):
                kept.append(face)
        return kept


def choose_face(found: Sequence[Face], rule: str) -> Face | None:
    """Choose a face by rule: "largest", "left", "right", or "N", the N-th from the left, counted from 1.

    Returns None if there is no such face.
    """
    if not found:
        return None
    across = sorted(found, key=lambda one: float(one.box[0] + one.box[2]))
    if rule == "largest":
        return max(found, key=lambda one: float((one.box[2] - one.box[0]) * (one.box[3] - one.box[1])))
    if rule in ("left", "right"):
        return across[0 if rule == "left" else -1]
    number = int(rule)
    return across[number - 1] if number <= len(across) else None
