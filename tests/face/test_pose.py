"""Rotations, angles and similarities of heads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from facepipe.face import topology as at
from facepipe.face.pose import Similarity, angles_of, rotation_of, similarity_onto
from tests.face.faces import posed


def test_angles_go_to_a_rotation_and_back() -> None:
    """Angles survive the round trip, and rotations are proper."""
    angles = np.random.default_rng(0).uniform((-3, -1.5, -3), (3, 1.5, 3), (50, 3))
    rotation = rotation_of(angles)
    np.testing.assert_allclose(angles_of(rotation), angles, atol=1e-9)
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)


def test_angles_are_applied_pitch_first_then_yaw_then_roll() -> None:
    """The matrix is Rz(roll) Ry(yaw) Rx(pitch), as documented."""
    one = [rotation_of(np.diag([0.3, 0.4, 0.5])[[axis]])[0] for axis in range(3)]
    np.testing.assert_allclose(rotation_of(np.array([[0.3, 0.4, 0.5]]))[0], one[2] @ one[1] @ one[0], atol=1e-12)


@pytest.mark.parametrize(
    ("degrees", "axis", "sign"), [((0, 20, 0), 0, -1), ((0, -20, 0), 0, 1), ((20, 0, 0), 1, 1), ((-20, 0, 0), 1, -1)]
)
def test_the_nose_turns_in_the_documented_direction(degrees: tuple[float, float, float], axis: int, sign: int) -> None:
    """Positive yaw turns the nose to the left of the picture, positive pitch turns it down."""
    shift = (posed(degrees=degrees) - posed())[at.NOSE_TIP]
    assert shift[axis] * sign > 6
    assert abs(shift[1 - axis]) < 3


def test_positive_roll_tilts_clockwise() -> None:
    """The eye on the right of the picture, the subject's left, moves down."""
    points = posed(degrees=(0, 0, 20))
    assert points[at.LEFT_EYE_OUTER, 1] > points[at.RIGHT_EYE_OUTER, 1] + 10
    assert posed()[at.LEFT_EYE_OUTER, 0] > posed()[at.RIGHT_EYE_OUTER, 0]


def made_similarity(frames: int) -> Similarity:
    random = np.random.default_rng(1)
    angles = random.uniform((-1, -1, -3), (1, 1, 3), (frames, 3))
    return Similarity(random.uniform(0.2, 90, frames), rotation_of(angles), random.normal(0, 300, (frames, 3)))


def test_a_known_similarity_is_found_exactly() -> None:
    """Without noise, the transform is recovered for any weights; undo inverts it."""
    random, known = np.random.default_rng(2), made_similarity(6)
    canonical = random.normal(size=(1, 30, 3))
    found = similarity_onto(canonical, known.apply(canonical), random.uniform(0.1, 1, 30))
    for part, expected in zip(found, known, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(known.undo(known.apply(canonical)), np.tile(canonical, (6, 1, 1)), atol=1e-10)


def test_points_of_weight_zero_are_ignored() -> None:
    """Wrong points of weight zero leave the similarity exact."""
    known, canonical = made_similarity(2), np.random.default_rng(3).normal(size=(1, 30, 3))
    points, weights = known.apply(canonical), np.repeat([1.0, 0.0], 15)
    points[:, 15:] += 1000
    np.testing.assert_allclose(similarity_onto(canonical, points, weights).rotation, known.rotation, atol=1e-9)


def test_noisy_points_give_the_least_squares_similarity() -> None:
    """The closed form equals the result of an iterative least-squares solver over seven parameters."""
    random = np.random.default_rng(4)
    canonical, weights = random.normal(size=(20, 3)), random.uniform(0.1, 2, 20)
    points = (
        3 * canonical @ rotation_of(np.array([[0.4, -0.6, 1.0]]))[0].T + (5, -2, 1) + random.normal(0, 0.5, (20, 3))
    )

    def residual(numbers: np.ndarray) -> np.ndarray:
        rendered = np.exp(numbers[3]) * canonical @ rotation_of(numbers[None, :3])[0].T + numbers[4:]
        return np.asarray(((rendered - points) * np.sqrt(weights)[:, None]).ravel())

    slow = least_squares(residual, np.array([0.3, -0.5, 0.8, 1, 0, 0, 0]), xtol=1e-12, ftol=1e-12, gtol=1e-12).x
    found = similarity_onto(canonical[None], points[None], weights)
    numbers = np.concatenate([angles_of(found.rotation)[0], np.log(found.scale), found.translation[0]])
    np.testing.assert_allclose(numbers, slow, atol=1e-5)


def test_a_mirrored_face_gets_a_proper_rotation() -> None:
    """Points that only a reflection explains still give a proper rotation."""
    canonical = np.random.default_rng(5).normal(size=(1, 30, 3))
    found = similarity_onto(canonical, canonical * (-1, 1, 1), np.ones(30))
    np.testing.assert_allclose(np.linalg.det(found.rotation), 1)
    assert found.scale[0] < 0.9
