"""Stylised portraits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.vector import AvatarVector
from facepipe.creation import stylised
from facepipe.creation.landmarks import SHARES, landmarks_of
from facepipe.creation.stylised import (
    folds,
    kept_portrait,
    plain_matte,
    projected,
    smoothed,
    stylised_portrait,
    warp_of,
)
from tests.creation.faces import MOUTH, SKIN, WALL, mean_points, observed, opened
from tests.export.avatar_head import compiled_head, needs_head

pytestmark = needs_head
LEVELS = np.round(255 * np.array(PLAIN))


def neutral() -> Avatar:
    return build(AvatarVector(), compiled_head())


def red(picture: np.ndarray) -> int:
    """Return the number of pixels nearer to the colour of the mouth than to others."""
    away = [np.abs(picture.astype(int) - colour).sum(axis=-1) for colour in (MOUTH, SKIN, WALL, LEVELS)]
    return int((np.argmin(away, axis=0) == 0).sum())


def test_landmarks_come_to_those_of_the_avatar() -> None:
    avatar, seen = neutral(), observed()
    places = warp_of(seen, avatar)
    known, there = landmarks_of(avatar, seen.points[:, :2].astype(float), without=stylised.FREE)
    pixels = projected(face_camera(avatar), known)
    rows, columns = np.round(pixels[:, 1]).astype(int), np.round(pixels[:, 0]).astype(int)
    away = np.linalg.norm(places[rows, columns] - there, axis=1)
    assert np.median(away) < 1.5
    # The line between the lips comes from both lips.
    assert away[: -len(SHARES)].max() < 4
    corners = places[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.abs(corners - [[0, 0], [255, 0], [0, 255], [255, 255]]).max() < 1.5


def test_the_warp_is_that_of_the_spline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid is as good as the spline at every pixel."""
    seen, avatar, splines = observed(), neutral(), list[RBFInterpolator]()

    def kept(*args: Any, **options: Any) -> RBFInterpolator:
        splines.append(RBFInterpolator(*args, **options))
        return splines[-1]

    monkeypatch.setattr(stylised, "RBFInterpolator", kept)
    places = warp_of(seen, avatar)
    rows, columns = np.mgrid[3:256:7, 5:256:7]
    exact = splines[0](np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float)).reshape(*rows.shape, 2)
    away = np.linalg.norm(places[rows, columns] - exact, axis=-1)
    assert away.max() < 1
    assert np.median(away) < 0.02


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Return the points of a face after a turn to the side."""
    angle, middle = np.radians(degrees), points.mean(0)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return np.asarray((points - middle) @ turn.T + middle)


def test_a_face_that_is_turned_far_does_not_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warp is made stiffer until no part of the picture is turned over; a face from the front keeps its warp."""
    avatar, seen, front = neutral(), observed(turned(mean_points(), 50)), observed()
    made, plain = warp_of(seen, avatar), warp_of(front, avatar)
    assert not folds(made[::4, ::4])
    monkeypatch.setattr(stylised, "STIFFNESS", stylised.STIFFNESS[:1])
    loose = warp_of(seen, avatar)
    assert folds(loose[::4, ::4])
    right, down = np.diff(loose, axis=1)[:-1], np.diff(loose, axis=0)[:, :-1]
    assert (right[..., 0] * down[..., 1] < right[..., 1] * down[..., 0]).any()
    np.testing.assert_array_equal(warp_of(front, avatar), plain)


def test_background_and_face() -> None:
    seen, avatar = observed(), neutral()
    made = stylised_portrait(seen, avatar, {"skin": seen.matte})
    nobody, person = made.matte == 0, made.matte > 0.99
    assert nobody.mean() > 0.3
    assert np.abs(made.picture[nobody] - LEVELS).max() <= 1
    assert np.abs(made.picture[person].astype(int) - SKIN).mean() < 12
    assert (made.parts["skin"] == made.matte).all()
    assert made.kind == "photograph"


def test_an_open_mouth_closes() -> None:
    shut, points = observed(), opened(mean_points(), 24)
    seen, avatar = observed(points), neutral()
    before = red(seen.picture)
    assert before > 150
    assert red(stylised_portrait(seen, avatar, {}).picture) < 0.35 * before
    assert red(shut.picture) < 0.2 * before


def test_smoothing_keeps_edges() -> None:
    noise = np.random.default_rng(1).normal(0, 6, (64, 64, 3))
    plane = np.full((64, 64, 3), 80.0)
    plane[:, 32:] = 190
    made = smoothed(np.clip(plane + noise, 0, 255).astype(np.uint8)).astype(float)
    assert made[8:-8, 8:24].std() < 0.5 * noise.std()
    assert made[:, 33].mean() - made[:, 30].mean() > 100


def test_hair_that_the_matte_leaves_out_stays_before_a_background_of_one_colour() -> None:
    matte = np.zeros((256, 256), np.float32)
    matte[80:, 80:180] = 1
    picture = np.full((256, 256, 3), (240, 250, 230), np.uint8)
    picture[80:, 80:180] = (200, 150, 120)
    picture[60:80, 80:180] = (90, 60, 20)  # hair
    found = plain_matte(picture, matte)
    np.testing.assert_array_equal(found[60:], np.where(picture[60:, :, 0] == 240, 0, 1))
    assert found[:60].max() == 0
    several = picture.copy()
    several[:, :60] = (20, 30, 200)
    assert plain_matte(several, matte) is matte
    full = np.ones_like(matte)
    assert plain_matte(picture, full) is full
    picture[120:, 80:180] = (240, 250, 230)  # a shirt of the background's colour
    assert plain_matte(picture, matte) is matte


def test_a_given_picture_stays_as_it_is() -> None:
    seen = observed()
    picture = np.full((256, 256, 3), (10, 200, 30), np.uint8)
    made = kept_portrait(picture, seen, {}, stylised.STYLISED)
    assert made.kind == stylised.STYLISED
    assert (made.picture[seen.matte == 1] == (10, 200, 30)).all()
    assert np.abs(made.picture[seen.matte == 0] - LEVELS).max() <= 1
