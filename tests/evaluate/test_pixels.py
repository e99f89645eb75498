"""Measures of pixels, against values known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.evaluate.pixels import (
    box_around,
    face_colour,
    laplacian_energy,
    lip_box,
    luminance,
    mean_difference,
    over_truth,
    psnr,
    ssim,
    weighted_mean,
)
from facepipe.face import topology as at
from tests.evaluate.motions import moving_points

GREY = np.full((64, 64, 3), 100, np.uint8)


def test_psnr_of_a_known_error() -> None:
    """An error of 10 grey levels everywhere is 28.13 dB."""
    assert psnr(GREY + 10, GREY) == pytest.approx(20 * np.log10(255 / 10))
    assert psnr(GREY, GREY) > 100


def test_ssim_of_flat_pictures_is_that_of_their_brightness() -> None:
    """Without any structure only the first factor of the formula is left."""
    a, b, c = 100.0, 150.0, (0.01 * 255) ** 2
    assert ssim(GREY, GREY) == pytest.approx(1)
    assert ssim(GREY + 50, GREY) == pytest.approx((2 * a * b + c) / (a * a + b * b + c), rel=1e-6)


def test_boxes_hold_their_points_and_stay_in_the_picture() -> None:
    points = np.array([[10.0, 20], [30, 40]])
    assert box_around(points, (64, 64)) == (10, 20, 31, 41)
    left, top, right, bottom = box_around(points, (64, 64), growth=1.2)
    assert (left, top, right, bottom) == (8, 18, 33, 43)
    assert box_around(points + 500, (64, 64)) == (62, 62, 64, 64)


def test_the_box_of_the_lips_grows_by_a_fifth() -> None:
    points = moving_points(1)[0]
    lips = points[list(at.LIP_OUTER), :2]
    left, top, right, bottom = lip_box(points, (256, 256, 3))
    assert right - left == pytest.approx(1.2 * np.ptp(lips[:, 0]), abs=3)
    assert bottom - top == pytest.approx(1.2 * np.ptp(lips[:, 1]), abs=3)


def test_the_difference_counts_inside_the_box_only() -> None:
    other = GREY.copy()
    other[10:20, 10:20] = 70
    assert mean_difference(other, GREY, (10, 10, 20, 20)) == 30
    assert mean_difference(other, GREY, (30, 30, 40, 40)) == 0


def test_blur_takes_sharpness_away() -> None:
    """A wave of period P has a Laplacian of (2 cos(2 pi / P) - 2) times itself."""
    x = np.arange(64)
    wave = np.tile(128 + 100 * np.sin(2 * np.pi * x / 8), (64, 1)).astype(np.float32)
    expected = 100**2 / 2 * (2 * np.cos(2 * np.pi / 8) - 2) ** 2
    assert laplacian_energy(wave, (8, 8, 56, 56)) == pytest.approx(expected, rel=0.01)


def test_luminance_and_colour() -> None:
    points = moving_points(1)[0]
    picture = np.full((256, 256, 3), 0, np.uint8)
    picture[..., 0] = 255
    assert luminance(picture).mean() == pytest.approx(0.299 * 255, abs=1)
    # Red of sRGB in CIE L*a*b*.
    np.testing.assert_allclose(face_colour(picture, points), [53.2, 80.1, 67.2], atol=0.3)
    picture[:20] = 255  # above the face
    np.testing.assert_allclose(face_colour(picture, points), [53.2, 80.1, 67.2], atol=0.3)


def noisy(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def test_a_full_matte_changes_nothing() -> None:
    """Whole pictures are measured by the same rule, to rounding."""
    one, other, full, box = noisy(0), noisy(1), np.ones((64, 64), np.float32), (8, 8, 40, 40)
    assert psnr(one, other, full) == pytest.approx(psnr(one, other))
    assert ssim(one, other, full) == pytest.approx(ssim(one, other))
    assert mean_difference(one, other, box, full) == pytest.approx(mean_difference(one, other, box))
    bright = luminance(one)
    assert laplacian_energy(bright, box, full) == pytest.approx(laplacian_energy(bright, box))
    np.testing.assert_array_equal(over_truth(one, other, full), one)


def test_only_the_inside_of_a_matte_counts() -> None:
    """A half-transparent pixel counts half; what differs outside is not seen, nor is a sharp background."""
    matte = np.zeros((64, 64), np.float32)
    matte[:, :20], matte[:, 20:40] = 1, 0.5
    outside, half, inner = GREY.copy(), GREY.copy(), GREY.copy()
    outside[:, 48:], half[:, 20:40], inner[:, :20] = noisy(0)[:, 48:], 110, 110
    assert psnr(outside, GREY, matte) == psnr(GREY, GREY)
    assert ssim(outside, GREY, matte) == pytest.approx(1)
    assert psnr(half, GREY, matte) == pytest.approx(10 * np.log10(255**2 / (100 * 10 / 30)))
    assert psnr(inner, GREY, matte) == pytest.approx(10 * np.log10(255**2 / (100 * 20 / 30)))
    assert mean_difference(half, GREY, (0, 0, 64, 64), matte) == pytest.approx(10 / 3)
    assert laplacian_energy(luminance(outside), (0, 0, 64, 64), matte) == 0
    np.testing.assert_array_equal(over_truth(noisy(0), GREY, matte)[:, 40:], GREY[:, 40:])
    assert over_truth(half, GREY, matte)[0, 30, 0] == 105


def test_nothing_inside_is_no_number() -> None:
    assert np.isnan(weighted_mean(np.ones((4, 4)), np.zeros((4, 4))))
    assert np.isnan(psnr(GREY, GREY, np.zeros((64, 64))))
