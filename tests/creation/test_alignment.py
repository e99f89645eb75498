"""Alignment of drawn faces."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.camera import Camera
from facepipe.avatar.framing import EYES_ROW, PLAIN, SIDE_UNITS, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.picture import Picture
from facepipe.avatar.portrait import cut_camera, portrait_camera
from facepipe.avatar.rasteriser import render
from facepipe.avatar.sampling import sample
from facepipe.creation.alignment import STILL, restored, turned
from facepipe.creation.drawing import drawing
from facepipe.creation.target import Target, Trust

AWAY = np.array([5.0, -4.0, 8.0, 6.0])


@pytest.fixture
def target() -> Target:
    y, x = np.mgrid[:256, :256] / 10
    picture = np.stack([120 + 60 * np.sin(x), 120 + 60 * np.cos(y + x), 120 + 60 * np.sin(2 * y)], axis=-1)
    plane = np.ones((256, 256), np.float32)
    return Target(picture.astype(np.uint8), Trust(pixels=1), plane, plane, {"hair": (x > 12).astype(np.float32)})


@pytest.fixture(scope="module")
def avatar(head: Head) -> Avatar:
    return build(sample(3_100_003), head)


def drawn(avatar: Avatar, camera: Camera) -> Picture:
    return render(avatar.parts, camera, (256, 256), PLAIN)


def test_nothing_changes_at_rest(target: Target, avatar: Avatar) -> None:
    assert restored(target, STILL) is target
    camera = face_camera(avatar)
    assert turned(camera, STILL) is camera


def test_whole_pixels_are_restored_in_all_planes(target: Target) -> None:
    moved = restored(target, np.array([3.0, -2.0, 0.0, 0.0]))
    np.testing.assert_array_equal(moved.picture[2:, :-3], target.picture[:-2, 3:])
    np.testing.assert_array_equal(moved.parts["hair"][2:, :-3], target.parts["hair"][:-2, 3:])
    assert moved.inside[:, -3:].max() == moved.inside[:2].max() == 0
    assert moved.inside[2:, :-3].min() == 1


@pytest.mark.parametrize("view", [face_camera, cut_camera])
def test_a_displaced_face_is_restored(view: object, avatar: Avatar) -> None:
    camera = cut_camera(avatar) if view is cut_camera else face_camera(avatar)
    still, away = drawn(avatar, camera), drawn(avatar, turned(camera, AWAY))
    plane = np.ones((256, 256), np.float32)
    back = restored(Target(away.colour, Trust(pixels=1), plane, plane), AWAY)
    apart, before = (
        np.abs(one.astype(float) - still.colour)[back.inside == 1].mean() for one in (back.picture, away.colour)
    )
    assert apart < 0.1 * before


def test_whole_pixels_of_a_shift_are_those_of_the_uncut_picture(avatar: Avatar) -> None:
    camera = portrait_camera(avatar)
    whole, moved = drawn(avatar, camera), drawn(avatar, turned(camera, np.array([16.0, 32.0, 0.0, 0.0])))
    np.testing.assert_array_equal(moved.parts[32:, 16:], whole.parts[:-32, :-16])


def test_a_cut_portrait_has_the_face_in_its_frame(avatar: Avatar) -> None:
    camera = cut_camera(avatar)
    names = ("eye-inner-left", "eye-outer-left", "eye-inner-right", "eye-outer-right", "mouth-left", "mouth-right")
    view = camera.view(np.array([avatar.head.point(name) for name in names]))
    places = (
        np.array(camera.middle_pixels(256, 256)) + camera.focal_pixels(256, 256) * view[:, :2] * (1, -1) / -view[:, 2:]
    )
    left, right, mouth = places.reshape(3, 2, 2).mean(1)
    eyes = (left + right) / 2
    np.testing.assert_allclose(eyes, (128, 256 * EYES_ROW), atol=1e-6)
    unit = (np.hypot(*(left - right)) + np.hypot(*(eyes - mouth))) / 2
    assert SIDE_UNITS * unit == pytest.approx(256)
    assert camera.distance == portrait_camera(avatar).distance


def test_drawings_take_an_alignment_each(avatar: Avatar, head: Head) -> None:
    with drawing(head, 2, cut_camera) as canvas:
        pictures = canvas.draw([avatar.vector] * 2, [STILL, AWAY])
    for picture, alignment in zip(pictures, (STILL, AWAY), strict=True):
        np.testing.assert_array_equal(picture.colour, drawn(avatar, turned(cut_camera(avatar), alignment)).colour)
