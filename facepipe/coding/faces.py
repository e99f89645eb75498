"""Seeing faces: the networks and the face model, opened once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.checkpoint import THREADS
from facepipe.face.cropping import aligned_crop
from facepipe.face.detector import Detector
from facepipe.face.finding import Face, Finder
from facepipe.face.landmarker import BATCH_CROPS, Landmarker
from facepipe.face.model import load_face_model
from facepipe.weights.loaded import load_once

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
WEIGHTS = ("detector", "landmarker", "face-model")
"""Registry names of the files."""


class FaceReader:
    """Finds the face and its landmarks."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        """Open the networks. `weights` holds the files of `WEIGHTS` by registry name."""
        self.detector = load_once(Detector, weights["detector"], threads=THREADS)
        self.landmarker = load_once(Landmarker, weights["landmarker"], threads=THREADS)
        self.model = load_once(load_face_model, weights["face-model"])

    def points(self, picture: Picture) -> Floats | None:
        """Return the (478, 3) landmarks of the main face of an (S, S, 3) square, in pixels; None without a face."""
        found = Finder(self.detector, self.landmarker).find(picture)
        if not found:
            return None
        main = max(found, key=lambda face: _merit(face, len(picture)))
        return np.asarray(self.landmarker.locate([picture], [main.crop]).points[0], np.float64)

    def follow(self, pictures: Sequence[Picture], near: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return (T, 478, 3) landmarks of faces that are near given (T, 478, 3) landmarks, and (T,) if there is one."""
        points, scores = [], []
        for first in range(0, len(pictures), BATCH_CROPS):
            crops = [aligned_crop(one) for one in near[first : first + BATCH_CROPS]]
            located = self.landmarker.locate(list(pictures[first : first + BATCH_CROPS]), crops)
            points.append(located.points)
            scores.append(located.score)
        return np.concatenate(points).astype(np.float64), np.concatenate(scores) >= 0.25


def _merit(face: Face, side: int) -> float:
    """Return how large and central a face is: the square is framed around the person who is coded."""
    left, top, right, bottom = (float(edge) for edge in face.box)
    away = max(abs((left + right) - side), abs((top + bottom) - side)) / side
    return (right - left) * (bottom - top) * max(1.0 - away, 0.05)
