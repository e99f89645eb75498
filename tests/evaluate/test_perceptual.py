"""The feature distance of faces orders what is done to a picture as a viewer does."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from facepipe.evaluate.perceptual import FaceFeatures, feature_distance

# The face of the astronaut in its section of 256 pixels: left, top, right, bottom.
LEFT, TOP, RIGHT, BOTTOM = 75, 50, 165, 170


@cache
def features() -> FaceFeatures:
    return FaceFeatures()


def face() -> np.ndarray:
    return np.ascontiguousarray(astronaut()[10:266, 100:356])  # type: ignore[no-untyped-call]


def distance(picture: np.ndarray, truth: np.ndarray) -> float:
    points = np.linspace((LEFT, TOP), (RIGHT, BOTTOM), 478)
    return feature_distance(features().maps(picture, points), features().maps(truth, points))


def changed(picture: np.ndarray, kind: str, strength: float) -> np.ndarray:
    if kind == "blur":
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), strength))
    if kind == "noise":
        noise = np.random.default_rng(0).normal(0, strength, picture.shape)
        return np.clip(picture + noise, 0, 255).astype(np.uint8)
    move = np.array([[1, 0, strength], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(picture, move, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))


@pytest.mark.parametrize(("kind", "strengths"), [("blur", (0.7, 1.5, 4)), ("noise", (3, 8, 20)), ("shift", (1, 3, 8))])
def test_more_damage_is_farther(kind: str, strengths: tuple[float, ...]) -> None:
    found = [distance(changed(face(), kind, strength), face()) for strength in strengths]
    assert 0 < found[0] < 0.5 * found[1] < 0.25 * found[2] < 1


def test_equal_pictures_have_no_distance_and_light_matters_less_than_blur() -> None:
    assert distance(face(), face()) == 0
    brighter = np.clip(face().astype(int) + 5, 0, 255).astype(np.uint8)
    assert distance(brighter, face()) < distance(changed(face(), "blur", 1.5), face())


def test_only_the_face_counts() -> None:
    other = face()
    other[BOTTOM + 30 :] = 0
    assert distance(other, face()) == 0
