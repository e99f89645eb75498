"""Alignment against stored results of Deep3DFaceRecon, and round trips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.face.bfm.alignment import (
    SIZE_PIXELS,
    STANDARD,
    Alignment,
    align,
    align_five,
    align_without_face,
    cut_square,
    upward,
)
from tests.fixtures import load_fixture


def stored_cases() -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in load_fixture("deep3d_align")[0].items()}


CASES = ("case0", "case1", "case2")


@pytest.mark.parametrize("case", CASES)
def test_the_transform_numbers_are_reproduced(case: str) -> None:
    """Size, scale and position agree to the rounding of the float32 points; so do the points in the square."""
    stored = stored_cases()
    picture, points = stored[f"{case}.image_hwc"], stored[f"{case}.landmarks_xy_image"]
    size = (picture.shape[1], picture.shape[0])
    found = align(points, size)
    np.testing.assert_allclose([*size, *found.triple], stored[f"{case}.trans_params"], rtol=1e-7)
    inside = found.into_square(upward(points, size[1]))
    np.testing.assert_allclose(inside, stored[f"{case}.landmarks_after_yup"], atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_square_is_reproduced(case: str) -> None:
    """Pixels agree within one level, including black borders, because both use Pillow's bicubic filter."""
    stored = stored_cases()
    picture = stored[f"{case}.image_hwc"]
    found = align(stored[f"{case}.landmarks_xy_image"], (picture.shape[1], picture.shape[0]))
    away = np.abs(cut_square(picture, found).astype(int) - stored[f"{case}.crop_hwc"])
    assert away.max() <= 1


def test_a_picture_without_a_face_has_stored_numbers() -> None:
    """The standard face fills the picture: scale 102/128, at the centre."""
    stored = stored_cases()
    np.testing.assert_allclose(align_without_face((256, 256)).triple, stored["case3.trans_params"][2:], rtol=1e-6)
    np.testing.assert_allclose(STANDARD, stored["const.lm3d_std"], atol=1e-8)


def test_a_known_camera_is_recovered() -> None:
    """The least-squares camera of a rotated, scaled and translated standard face is the camera that projected it."""
    turn = np.array([[0.96, 0.0, 0.28], [0.0, 1.0, 0.0]])
    found = align_five(80 * STANDARD @ turn.T + (140, 120), (256, 200))
    assert found.triple == pytest.approx((102 / 80, 140, 120))


def test_mapping_into_the_square_is_inverted() -> None:
    """Points of the picture survive the round trip through the square."""
    some = Alignment(300, 220, 1.37, 150.3, 99.1)
    points = np.array([[10.0, 20.0], [299.0, 0.5]])
    np.testing.assert_allclose(some.out_of_square(some.into_square(points)), points)


@pytest.mark.parametrize("place", [(-400.0, 50.0), (50.0, 900.0), (30.0, -300.0)])
def test_a_square_beyond_the_picture_is_black(place: tuple[float, float]) -> None:
    """There is neither wrap-around nor an error."""
    white = np.full((100, 100, 3), 255, np.uint8)
    square = cut_square(white, Alignment(100, 100, 1.0, *place))
    assert square.shape == (SIZE_PIXELS, SIZE_PIXELS, 3)
    assert not square.any()
