"""A synthetic portrait with the landmarks of the mean face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.creation.observation import Observation, observe
from facepipe.face import topology as at
from facepipe.face.model import load_face_model
from facepipe.weights import find

SKIN, MOUTH, WALL = (200, 150, 120), (250, 20, 20), (30, 90, 160)


def mean_points(scale: float = 100.0, middle: float = 220.0) -> NDArray[np.float64]:
    """Return the points (478, 3) of the mean face, outer eye corners `scale` pixels apart."""
    model = load_face_model(find("face-model").path)
    return np.asarray(model.mean * scale + (middle, middle, 0))


def opened(points: NDArray[np.float64], pixels: float) -> NDArray[np.float64]:
    """Return points with the lower lip and the chin moved down."""
    moved = points.copy()
    moved[[*at.LIP_INNER_LOWER, *at.LIP_OUTER_LOWER, at.CHIN, 78, 308], 1] += pixels
    moved[[78, 308], 1] -= pixels / 2
    return moved


def portrait_of(points: NDArray[np.float64], side: int = 440) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a picture (S, S, 3) of a face of one colour with a red mouth, and its matte."""
    picture = np.full((side, side, 3), WALL, np.uint8)
    matte = np.zeros((side, side), np.uint8)
    for rows, colour in ((at.FACE_OVAL, SKIN), (at.LIP_INNER, MOUTH)):
        cv2.fillPoly(picture, [np.round(points[list(rows), :2]).astype(np.int32)], colour)
    cv2.fillPoly(matte, [np.round(points[list(at.FACE_OVAL), :2]).astype(np.int32)], (255,))
    return picture, matte.astype(np.float32) / np.float32(255)


def observed(points: NDArray[np.float64] | None = None) -> Observation:
    """Return the observation of such a portrait."""
    points = mean_points() if points is None else points
    return observe(*portrait_of(points), points, load_face_model(find("face-model").path).mean)
