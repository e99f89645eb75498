"""Observations of portraits in the frame of their face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facepipe.avatar.framing import EYES_ROW, SIDE_UNITS
from facepipe.creation.observation import SIDE_PIXELS, face_frame, observe
from facepipe.face import topology as at
from tests.face.faces import face_model


def portrait(width: int, height: int, scale: float, turn: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A noisy picture, and the points (478, 3) of the mean face in its middle, turned in the picture."""
    mean = face_model().mean
    cos, sin = np.cos(turn), np.sin(turn)
    flat = scale * mean[:, :2] @ np.array([[cos, sin], [-sin, cos]])
    points = np.column_stack([flat + np.array([width / 2, height / 2]), scale * mean[:, 2]])
    picture = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(picture, (0, 0), scale / 20), points


@pytest.mark.parametrize("turn", [0.0, 0.4])
@pytest.mark.parametrize("scale", [40.0, 200.0])
def test_faces_of_all_sizes_and_angles_have_one_place(scale: float, turn: float) -> None:
    picture, points = portrait(900, 900, scale, turn)
    seen = observe(picture, np.ones(picture.shape[:2], np.float32), points, face_model().mean)
    corners = [seen.points[[outer, inner], :2].mean(0) for outer, inner in ((33, 133), (263, 362))]
    eyes, mouth = np.mean(corners, axis=0), seen.points[[at.MOUTH_LEFT, at.MOUTH_RIGHT], :2].mean(0)
    assert eyes[1] + 0.5 == pytest.approx(EYES_ROW * SIDE_PIXELS, abs=0.5)
    assert eyes[0] == pytest.approx(mouth[0], abs=2)
    unit = (np.hypot(*(corners[0] - corners[1])) + np.hypot(*(eyes - mouth))) / 2
    assert unit == pytest.approx(SIDE_PIXELS / SIDE_UNITS, rel=1e-3)


def test_points_move_with_the_pixels() -> None:
    picture, points = portrait(700, 600, 90.0, 0.3)
    spot = points[at.NOSE_TIP, :2]
    picture[:] = 40
    cv2.circle(picture, (round(spot[0]), round(spot[1])), 6, (255, 255, 255), -1)
    seen = observe(picture, np.ones(picture.shape[:2], np.float32), points, face_model().mean)
    y, x = np.nonzero(seen.picture[..., 0] > 150)
    assert np.hypot(*(np.array([x.mean(), y.mean()]) - seen.points[at.NOSE_TIP, :2])) < 1


@pytest.mark.parametrize("scale", [60.0, 300.0])
def test_nothing_of_the_person_lies_beyond_the_portraits_edges(scale: float) -> None:
    # The frame is wider than the picture, which is full of the person.
    picture, points = portrait(round(3 * scale), round(3 * scale), scale)
    seen = observe(picture, np.ones(picture.shape[:2], np.float32), points, face_model().mean)
    frame = face_frame(points)
    inside = (3 * scale / frame.side) ** 2
    assert seen.inside.mean() == pytest.approx(inside, rel=0.05)
    assert np.abs(seen.matte - seen.inside).max() < 0.02
    assert seen.matte[0].max() == 0
