"""Stickmen and crops against stored ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facepipe.media.image import resize
from facepipe.renderers.bilayer.cropping import CropBox, crop_box
from facepipe.renderers.bilayer.stickman import as_input, drawn, stickmen
from tests.renderers.bilayer.official import close, stored


def test_the_stored_drawings() -> None:
    numbers = stored()
    for keypoints, expected in (
        ("input.stickman256.poses", numbers.tensors["output.stickman256.uint8"]),
        ("output.crop.poses", numbers.tensors["output.crop.stickmen"][0]),
        ("input.source_poses", numbers.tensors["input.source_stickmen"][0]),
    ):
        points = numbers[keypoints].reshape(-1, 68, 2).numpy()
        made = np.stack([drawn(one, expected.shape[-1]) for one in points])
        assert np.array_equal(made, expected.permute(0, 2, 3, 1).numpy())


def test_drawings_as_input() -> None:
    """The background is 1 of 255; a jaw across the picture is white, 255."""
    points = torch.full((1, 68, 2), 0.9)
    points[0, :17, 0] = torch.linspace(-0.9, 0.9, 17)
    points[0, :17, 1] = 0
    made = stickmen(points, 64)
    assert made.shape == (1, 3, 64, 64)
    assert made[0, :, 32, 32].tolist() == [1, 1, 1]
    assert made[0, :, 5, 5].tolist() == pytest.approx([(1 / 255 - 0.5) * 2] * 3)


def test_the_stored_crops() -> None:
    numbers = stored()
    pictures, landmarks = numbers.tensors["input.crop.images_uint8"], numbers["input.crop.landmarks_px"]
    side = numbers.config.side_pixels
    for index, (picture, points) in enumerate(zip(pictures.numpy(), landmarks, strict=True)):
        box = crop_box(points.numpy())
        keypoints = torch.from_numpy(box.normalised(points.numpy())).flatten()
        close(keypoints, numbers.frames("output.crop.poses")[index])
        cropped = torch.from_numpy(resize(box.cut(picture), (side, side))).permute(2, 0, 1)
        close(as_input(cropped), numbers.frames("output.crop.imgs")[index])


def test_outside_the_picture_is_black() -> None:
    """The half side is the larger extent of the face, and the box is moved up by a sixth of it."""
    points = np.zeros((68, 2))
    points[:, 0], points[:, 1] = np.linspace(1, 7, 68), np.linspace(2, 8, 68)
    box = crop_box(points)
    assert box == CropBox(left=-2, top=-2, half_pixels=6)
    cut = box.cut(np.full((20, 20, 3), 9, np.uint8))
    assert cut.shape == (12, 12, 3)
    assert (cut[:2] == 0).all()
    assert (cut[:, :2] == 0).all()
    assert (cut[2:, 2:] == 9).all()
    assert box.normalised(points)[0] == pytest.approx([(1 + 2) / 12 * 2 - 1, (2 + 2) / 12 * 2 - 1])
