"""The shape of a head from a person's neutral points."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.avatar.head import Head
from facepipe.avatar.vector import AvatarVector
from facepipe.creation.shape import (
    MARGIN,
    SENSES,
    Doubles,
    fit_shape,
    fitted_sliders,
    known_people,
    neutral_points,
    normalised,
    places_of,
)
from facepipe.face import topology as at

PLANTED = {"head_width": 0.7, "eye_spacing": 0.35, "nose_height": 0.65, "mouth_width": 0.3, "mouth_position": 0.6}


@pytest.fixture(scope="module")
def base(head: Head) -> Doubles:
    return normalised(neutral_points(AvatarVector(), head))


def as_person(points: Doubles, base: Doubles) -> Doubles:
    """Return the points (478, 3) of the person who deviates from others as an avatar from the neutral one."""
    person = np.zeros((at.POINT_COUNT, 3))
    person[list(at.SIXTY_EIGHT)] = (known_people().mean + normalised(points) - base) * SENSES
    return person


def test_points_lie_on_the_skin_in_mirrored_pairs(head: Head) -> None:
    places = places_of(head.template)
    assert places.corners.shape == (68, 3)
    np.testing.assert_allclose(places.weights.sum(axis=1), 1, atol=1e-5)
    points = neutral_points(AvatarVector(), head)
    pairs = [*zip(range(8), range(16, 8, -1), strict=True), (17, 26), (21, 22), (31, 35), (36, 45), (39, 42), (37, 44)]
    pairs += [(41, 46), (48, 54), (49, 53), (59, 55), (60, 64), (61, 63), (67, 65)]
    for right, left in pairs:
        assert points[right, 0] < 0 < points[left, 0]
        np.testing.assert_allclose(points[right] * (-1, 1, 1), points[left], atol=0.012)


def test_points_are_where_faces_have_them(head: Head) -> None:
    points = neutral_points(AvatarVector(), head)
    height = points[:, 1]
    assert height[17:27].min() > height[36:48].max() > height[30] > height[51] > height[62] > height[57]
    assert height[62] == pytest.approx(height[66], abs=0.01)
    assert height.argmin() == 8
    assert points[:, 2].argmax() == 30
    assert points[36, 0] < points[37, 0] < points[38, 0] < points[39, 0]
    assert points[37, 1] > points[41, 1]


def test_planted_sliders_move_the_fit_towards_them(head: Head, base: Doubles) -> None:
    person = as_person(neutral_points(AvatarVector(PLANTED), head), base)
    found = fit_shape(person, AvatarVector(), head, exaggeration=1)
    errors = [abs(found[name] - PLANTED.get(name, 0.5)) for name in fitted_sliders()]
    before = np.mean([abs(0.5 - value) for value in PLANTED.values()])
    assert np.mean(errors) < 0.04
    assert np.mean([abs(found[name] - value) for name, value in PLANTED.items()]) < 0.5 * before
    shape = normalised(neutral_points(AvatarVector(found), head))
    left = np.linalg.norm(shape - normalised(neutral_points(AvatarVector(PLANTED), head)))
    assert left < 0.25 * np.linalg.norm(normalised(neutral_points(AvatarVector(PLANTED), head)) - base)


def test_the_mean_person_keeps_the_start_and_more_exaggeration_moves_further(head: Head, base: Doubles) -> None:
    mean = as_person(neutral_points(AvatarVector(), head), base)
    found = fit_shape(mean, AvatarVector(), head)
    assert max(abs(value - 0.5) for value in found.values()) < 1e-6
    person = as_person(neutral_points(AvatarVector({"nose_height": 0.6}), head), base)
    less, more = (fit_shape(person, AvatarVector(), head, exaggeration=factor) for factor in (1, 2))
    assert 0.52 < less["nose_height"] < more["nose_height"]


def test_a_start_is_kept_where_the_points_say_nothing(head: Head, base: Doubles) -> None:
    person = as_person(neutral_points(AvatarVector(PLANTED), head), base)
    start = AvatarVector({"laugh_lines": 0.9, "style": 0.3, "ear_size": 0.8})
    found = fit_shape(person, start, head)
    assert found["laugh_lines"] == pytest.approx(0.9, abs=0.02)
    assert not {"style", "ear_size", "age", "hair_volume"} & found.keys()


def test_extremes_stay_off_the_ends(head: Head, base: Doubles) -> None:
    person = as_person(neutral_points(AvatarVector({"mouth_width": 1.0, "eye_spacing": 0.0}), head), base)
    found = fit_shape(person, AvatarVector(), head, exaggeration=5)
    assert min(found.values()) >= MARGIN - 1e-9
    assert max(found.values()) <= 1 - MARGIN + 1e-9
