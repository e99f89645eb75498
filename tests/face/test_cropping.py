"""Square crops: geometry and resampled pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.face import topology as at
from facepipe.face.cropping import (
    SquareCrop,
    aligned_crop,
    box_crop,
    box_of,
    invert,
    outer_eye_distance,
    pixels_of,
    roll_radians,
    sample,
    samples_exactly,
    transform_points,
)
from tests.face.faces import posed

Floats = NDArray[np.floating]


def places(crop: SquareCrop, size: int) -> Floats:
    """Return the position in the picture of each pixel of the crop, (size, size, 2)."""
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(float)
    return transform_points(grid, invert(crop.matrix(size)))


def test_a_crop_has_its_middle_side_and_turn() -> None:
    """The centre, and the ends of the rotated axes, map to the expected pixels."""
    crop = SquareCrop(70, 40, 50, 0.3)
    along = np.array([np.cos(0.3), np.sin(0.3)])
    picture = np.array([[70, 40], [70, 40] + 25 * along, [70, 40] + 25 * np.array([-along[1], along[0]])])
    np.testing.assert_allclose(
        transform_points(picture, crop.matrix(100)), [[49.5, 49.5], [99.5, 49.5], [49.5, 99.5]], atol=1e-9
    )


def test_sides_of_a_crop_go_from_edge_to_edge() -> None:
    """The outer edges of the corner pixels are 0 and 1, so that points of a mirror image are 1 - x."""
    crop, size = SquareCrop(31.5, 41.5, 64.0), 64
    corners = np.array([[0.0, 10, 3], [63, 73, -5]])  # centres of the outermost pixels
    seen = crop.normalised(corners)
    np.testing.assert_allclose(seen, [[0.5 / 64, 0.5 / 64, 3 / 64], [63.5 / 64, 63.5 / 64, -5 / 64]])
    np.testing.assert_allclose(pixels_of(seen, size), transform_points(corners, crop.matrix(size)), atol=1e-9)


def test_invert_goes_back_and_depth_takes_the_scale() -> None:
    """The round trip is the identity for x, y and z; z scales with the crop."""
    points, matrix = np.random.default_rng(0).normal(0, 50, (4, 9, 3)), SquareCrop(7, -4, 50, -1.2).matrix(200)
    there = transform_points(points, matrix)
    np.testing.assert_allclose(there[..., 2], points[..., 2] * 4)
    np.testing.assert_allclose(transform_points(there, invert(matrix)), points, atol=1e-9)


@pytest.mark.parametrize("side", [20, 63.5, 100, 128, 150, 199, 260.7, 330])
@pytest.mark.parametrize("angle", [0, 0.4, -2.0])
def test_a_gradient_is_sampled_at_the_position_of_the_crop(side: float, angle: float) -> None:
    """Enlarged, shrunk, or shrunk by area, samples of a smooth picture are within about one level of the truth."""
    y, x = np.mgrid[:520, :610]
    picture = np.round(np.stack([20 + 0.35 * x, 230 - 0.4 * y, 60 + 0.2 * x + 0.15 * y], axis=-1)).astype(np.uint8)
    crop, size = SquareCrop(301.3, 262.8, side, angle), 64
    at_x, at_y = np.moveaxis(places(crop, size), -1, 0)
    truth = np.stack([20 + 0.35 * at_x, 230 - 0.4 * at_y, 60 + 0.2 * at_x + 0.15 * at_y], axis=-1)
    # The picture, its shrunken form and the sample are each rounded to integer levels.
    assert np.abs(sample(picture, crop, size) - truth).max() <= 1.1


@pytest.mark.parametrize("corner", [(0, 0), (609, 0), (0, 519), (609, 519)])
@pytest.mark.parametrize("side", [90, 300])
def test_border_pixels_are_repeated_outside_the_picture(corner: tuple[int, int], side: float) -> None:
    """A crop beyond any corner shows the picture inside and the nearest pixels outside."""
    y, x = np.mgrid[:520, :610]
    picture = np.repeat(np.round(20 + 0.2 * x + 0.2 * y).astype(np.uint8)[..., None], 3, axis=-1)
    crop, size = SquareCrop(corner[0], corner[1], side, 0.2), 64
    at_x, at_y = np.moveaxis(places(crop, size), -1, 0)
    truth = 20 + 0.2 * np.clip(at_x, 0, 609) + 0.2 * np.clip(at_y, 0, 519)
    # Shrunk by area, the outermost cell is a few pixels wide.
    assert np.abs(sample(picture, crop, size)[..., 0] - truth).max() <= 1 + 0.4 * (side // size)


def test_shrinking_by_area_is_the_mean_of_blocks() -> None:
    """Crop pixels that coincide with blocks are the means of their blocks: no aliasing."""
    picture = np.random.default_rng(1).integers(0, 256, (160, 160, 3)).astype(np.uint8)
    shrink, size = 4, 20
    # Blocks start at multiples of four; the centre of 80 pixels is 39.5 after the first.
    first_x, first_y = 40, 20
    crop = SquareCrop(first_x + 39.5, first_y + 39.5, shrink * size)
    blocks = picture[first_y : first_y + 80, first_x : first_x + 80].reshape(size, shrink, size, shrink, 3)
    assert np.abs(sample(picture, crop, size) - blocks.mean((1, 3))).max() <= 1


@pytest.mark.parametrize("roll", [-150, -40, 0, 25, 90])
@pytest.mark.parametrize("yaw", [-50, 0, 50])
def test_the_aligned_crop_holds_a_face_upright(roll: float, yaw: float) -> None:
    """Points in the aligned crop do not depend on roll, position and size of the head, and are inside the crop."""
    straight = posed(degrees=(5, yaw, 0))
    face = posed(degrees=(5, yaw, roll), size=90, middle=(400, 300))
    turn = (roll_radians(face) - roll_radians(straight) - np.radians(roll) + np.pi) % (2 * np.pi) - np.pi
    assert abs(turn) < 1e-6
    seen = aligned_crop(face).normalised(face)
    np.testing.assert_allclose(seen, aligned_crop(straight).normalised(straight), atol=1e-6)
    assert (seen[: at.SKIN_COUNT, :2] > 0.05).all()
    assert (seen[: at.SKIN_COUNT, :2] < 0.95).all()
    assert abs(roll_radians(seen)) < 1e-6


def test_boxes_hold_the_skin() -> None:
    """The box is the extent of the 468 skin points, without irises, and its crop is a square around it."""
    points = np.stack([posed(middle=(100, 90)), posed(middle=(50, 60), size=30)])
    points[:, at.SKIN_COUNT :] = 1e4
    boxes = box_of(points)
    np.testing.assert_allclose(boxes[1], [*points[1, :468, :2].min(0), *points[1, :468, :2].max(0)])
    crop, (left, top, right, bottom) = box_crop(boxes[0]), boxes[0]
    assert (crop.center_x, crop.center_y) == pytest.approx(((left + right) / 2, (top + bottom) / 2))
    assert crop.side > max(right - left, bottom - top)


def test_the_unit_is_the_distance_of_the_outer_eye_corners() -> None:
    """It equals the given size, and does not shrink for a turned head if depth is included."""
    assert outer_eye_distance(posed(size=60)) == pytest.approx(60, rel=5e-3)
    turned = posed(size=60, degrees=(0, 50, 0))
    assert outer_eye_distance(turned) == pytest.approx(60, rel=5e-3)
    assert outer_eye_distance(turned[:, :2]) < 45


def test_the_kind_of_opencv_is_told_by_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 4 places the shift of a hundredth of a pixel at 0."""
    assert samples_exactly() == (int(cv2.__version__.partition(".")[0]) >= 5)
    monkeypatch.setattr(cv2, "warpAffine", lambda picture, *_, **__: picture)
    assert not samples_exactly()
