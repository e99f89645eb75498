"""Test faces: points of the embedded model, and the astronaut as tracked by the embedded networks."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from skimage import data

from facepipe import weights
from facepipe.face.cropping import sample, transform_points
from facepipe.face.detector import Detector
from facepipe.face.fitting import fit
from facepipe.face.landmarker import Landmarker
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import Similarity, rotation_of
from facepipe.face.track import Track, crop_around
from facepipe.face.tracking import Tracker
from facepipe.rendering.source import Source
from facepipe.spaces.coefficients import Coefficients, from_fit
from tests.pipeline.scene import ROOT

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
DATA = ROOT.parent / "shared" / "data"


@lru_cache(maxsize=1)
def face_model() -> FaceModel:
    return load_face_model(weights.find("face-model").path)


@lru_cache(maxsize=1)
def networks() -> tuple[Detector, Landmarker]:
    return Detector(weights.find("detector").path), Landmarker(weights.find("landmarker").path)


def astronaut() -> Picture:
    return np.ascontiguousarray(data.astronaut()[:300, 60:380])  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def astronaut_track() -> Track:
    return Tracker(*networks()).track([astronaut()])


@lru_cache(maxsize=2)
def astronaut_portrait(size: int, *, mirrored: bool = False) -> tuple[Source, Coefficients]:
    """Return the astronaut, cropped and fitted; or her mirror image with mirrored points, without another detection."""
    picture, points = astronaut(), astronaut_track().points.astype(np.float64)
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
        points = (points * (-1, 1, 1) + (picture.shape[1] - 1, 0, 0))[:, face_model().mirror]
    frame = (picture.shape[1], picture.shape[0])
    crop, valid = crop_around(points, frame), np.ones(1, bool)
    fitted = from_fit(fit(face_model(), points, valid), valid, fps=Fraction(25), crop=crop, picture_size=frame)
    inside = transform_points(points[0], crop.matrix(size))
    cut = sample(picture, crop, size)
    return Source(cut, inside, fitted), fitted


def posed(
    *,
    degrees: tuple[float, float, float] = (0, 0, 0),
    size: float = 60,
    middle: tuple[float, float] = (128, 128),
    controls: dict[str, float] | None = None,
) -> Floats:
    """Return (478, 3) points of the mean face at pitch, yaw, roll, outer eye corners `size` apart."""
    model = face_model()
    expression = np.zeros((1, 64))
    for name, value in (controls or {}).items():
        expression += value * model.controls[name].direction
    turn = rotation_of(np.radians([degrees]))
    pose = Similarity(np.array([size]), turn, np.array([[*middle, 0.0]]))
    return np.asarray(pose.apply(model.shape(np.zeros(80), expression))[0])
