"""A driver that walks through its picture: the portrait's face stays in its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.spaces.outline import outside_of
from facepipe.spaces.remarks import leaving_remarks, rest_remarks, travel_remarks
from facepipe.spaces.retargeting import Retargeting
from facepipe.spaces.travel import kept_inside, slow_part
from tests.face.faces import face_model
from tests.field.motions import moving, portrait

TIMES = np.arange(200) / 25
WALKS = {
    "across": np.linspace(-2.6, 2.6, 200),
    "away": np.linspace(0, 12, 200),
    "there and back": 3 * np.sin(TIMES),
    "fast": 2 * np.sign(np.sin(2 * TIMES)),
}


def contained(x: np.ndarray, size: np.ndarray | float = -1.0) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the translation of the portrait, which frames lack part of the face, and the travel taken back."""
    source, model, how = portrait(), face_model(), Retargeting(reference="first")
    made, travel = source.space.contain(source.space.retarget(source, moving(x, size), how, model), source, how, model)
    return made.translation, outside_of(made, model), travel


@pytest.mark.parametrize("name", WALKS)
def test_the_whole_face_stays_in_the_picture(name: str) -> None:
    _, outside, travel = contained(WALKS[name] - WALKS[name][0])
    assert outside.mean() <= 0.05
    assert 0 < travel <= 1


def test_an_approaching_head_fits_the_picture() -> None:
    translation, outside, _ = contained(np.zeros(200), np.linspace(-1, 1.5, 200))
    assert not outside.any()
    assert np.diff(translation[:, 2]).min() > -0.02


def test_small_movements_keep_their_size_during_a_walk() -> None:
    """A sway of twice a second, on top of a walk across the scene."""
    sway = 0.05 * np.sin(2 * np.pi * 2 * TIMES)
    walk, both = (contained(np.linspace(0, 3, 200) + extra)[0][:, 0] for extra in (np.zeros(200), sway))
    assert np.ptp((both - walk)[50:150]) > 0.9 * np.ptp(sway)


def test_a_head_that_stays_inside_is_not_touched() -> None:
    x = 0.2 * np.sin(TIMES)
    translation, _, travel = contained(x)
    np.testing.assert_allclose(translation[:, 0], x - x[0], atol=1e-12)
    assert travel == 0


def test_a_face_at_the_edge_of_its_own_picture_stays_there() -> None:
    """What the portrait itself lacks is no reason to move it."""
    source, model, how = replace(portrait(), translation=np.array([[-0.9, 0.0, -1.0]])), face_model(), Retargeting()
    assert outside_of(source, model).all()
    still = source.space.retarget(source, moving(np.zeros(20)), how, model)
    made, travel = source.space.contain(still, source, how, model)
    np.testing.assert_array_equal(made.translation, still.translation)
    assert travel == 0


def test_shots_are_kept_inside_one_by_one() -> None:
    room = np.ones(40)
    path = np.concatenate([np.linspace(0, 0.5, 20), np.linspace(0, 5, 20)])
    kept = kept_inside(path, -room, room, 0.0, [slice(0, 20), slice(20, 40)], 25)
    np.testing.assert_array_equal(kept.path[:20], path[:20])
    assert np.abs(kept.path).max() <= 1


@pytest.mark.parametrize("count", [1, 2, 3, 30, 300])
def test_the_slow_part_of_a_steady_walk_is_the_walk(count: int) -> None:
    walk = np.linspace(1, 5, count)
    np.testing.assert_allclose(slow_part(walk, 25.0), walk, atol=1e-9)


def test_travel_and_a_result_outside_are_said() -> None:
    assert "84%" in travel_remarks(0.84)[0].text
    assert not travel_remarks(0.0)
    assert leaving_remarks(np.arange(100) < 6)[0].text.startswith("in 6 of 100 frames")
    assert not leaving_remarks(np.arange(100) < 5)


def test_a_driver_that_never_rests_is_said() -> None:
    """It always looks aside, or always has its mouth open."""
    driving, source = moving(np.zeros(20)), portrait()
    aside = replace(driving, angles=np.tile([0.0, 0.6, 0.0], (20, 1)))
    assert "34 degrees" in rest_remarks(source, aside, (0.0, np.zeros(20)))[0].text
    assert "mouth" in rest_remarks(source, driving, (0.0, np.full(20, 0.3)))[0].text
    assert not rest_remarks(source, driving, (0.3, np.full(20, 0.3)))
    assert not rest_remarks(source, driving, (0.0, np.zeros(20)))
