"""Colours: measured in portraits, and found again in palettes."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.avatar.avatar import build
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.mesh import PARTS
from facepipe.avatar.picture import Picture
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import AvatarVector
from facepipe.creation.measuring import NAMES, lab_of, lab_of_light, light_of, measure, robust
from facepipe.creation.observation import Observation
from facepipe.creation.shape import neutral_points
from facepipe.creation.tinting import SIDE, drawn_colours, tint
from facepipe.face import topology as at

PLANTED = {"skin": (0.55, 0.3), "hair": (0.45, 0.8), "lips": (0.3, 0.7), "clothes": (0.5, 0.55)}


def portrait_of(vector: AvatarVector, head: Head) -> tuple[Observation, Picture]:
    """Return an avatar's picture as an observation whose 68 points are known; the others are at the nose."""
    avatar = build(vector, head)
    camera = face_camera(avatar)
    picture = render(avatar.parts, camera, (SIDE, SIDE), PLAIN)
    view = camera.view(neutral_points(vector, head).astype(np.float32))
    focal = camera.focal_pixels(SIDE, SIDE) / -view[:, 2:]
    points = np.zeros((at.POINT_COUNT, 3), np.float32)
    places = SIDE / 2 + focal * view[:, :2] * (1, -1)
    points[:, :2] = places[30]
    points[list(at.SIXTY_EIGHT), :2] = places
    matte = (picture.parts > 0).astype(np.float32)
    return Observation(picture.colour, matte, np.ones_like(matte), points, np.zeros_like(points)), picture


def test_colour_spaces_agree() -> None:
    colours = np.array([[255, 0, 0], [12, 200, 90], [128, 128, 128], [255, 255, 255]], np.uint8)
    lab = lab_of(colours)
    np.testing.assert_allclose(lab[3], [100, 0, 0], atol=0.1)
    np.testing.assert_allclose(lab[0], [53.24, 80.09, 67.2], atol=0.2)
    np.testing.assert_allclose(lab_of_light(light_of(lab)), lab, atol=0.1)
    np.testing.assert_allclose(light_of(lab)[2], 0.2159, atol=0.002)


def test_robust_leaves_out_highlights_shadows_and_too_few_pixels() -> None:
    random = np.random.default_rng(0)
    pixels = np.concatenate([random.normal((60, 12, 15), 1, (800, 3)), np.tile((98.0, 0, 0), (70, 1))])
    pixels = np.concatenate([pixels, np.tile((5.0, 0, 0), (130, 1))])
    found = robust(pixels, "skin")
    assert found is not None
    np.testing.assert_allclose(found.lab, (60, 12, 15), atol=0.6)
    assert robust(pixels[:5], "skin") is None
    mixed = robust(random.normal((60, 12, 15), 30, (800, 3)), "skin")
    assert mixed is not None
    assert mixed.certainty < 0.7 * found.certainty


@pytest.mark.parametrize("hair", ["long-straight", "side-part", "none"])
def test_measures_agree_with_known_parts(head: Head, hair: str) -> None:
    vector = AvatarVector(colours=PLANTED, choices={"hair": hair})
    portrait, picture = portrait_of(vector, head)
    parts = np.eye(len(PARTS) + 1, dtype=np.float32)[picture.parts]
    alone, known = measure(portrait), measure(portrait, parts)
    assert alone.keys() == known.keys() == set(NAMES)
    for name in ("skin", "hair"):
        first, second = alone[name], known[name]
        assert (first is None) == (second is None) == (name == "hair" and hair == "none")
        if first is not None and second is not None:
            assert np.linalg.norm(first.lab - second.lab) < 6
            assert first.certainty > 0.5


def test_a_portrait_without_skin_has_no_measures() -> None:
    nothing = np.zeros((SIDE, SIDE), np.float32)
    points = np.zeros((at.POINT_COUNT, 3), np.float32)
    portrait = Observation(np.zeros((SIDE, SIDE, 3), np.uint8), nothing, nothing, points, points)
    assert measure(portrait) == dict.fromkeys(NAMES)


@pytest.mark.parametrize("hair", ["bob", "none"])
def test_planted_colours_are_found_again(head: Head, hair: str) -> None:
    planted = AvatarVector(colours=PLANTED, choices={"hair": hair})
    wanted = drawn_colours(build(planted, head), head)
    assert (wanted["hair"] is None) == (hair == "none")
    start = AvatarVector(choices={"hair": hair})
    found = tint(start, wanted, head)
    assert found.keys() == PLANTED.keys()
    shown = drawn_colours(build(start.changed(colours=found), head), head)
    for name, goal in wanted.items():
        seen = shown[name]
        assert (goal is None) == (seen is None)
        if goal is not None and seen is not None and name != "brows":
            assert np.linalg.norm(goal.lab - seen.lab) < 2.5
    assert found == tint(start, wanted, head)


def test_what_was_not_measured_is_left_out(head: Head) -> None:
    assert tint(AvatarVector(), dict.fromkeys(NAMES), head) == {}
