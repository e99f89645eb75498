"""Vectors as rows of numbers, and the frame of a face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from facepipe.avatar.avatar import build
from facepipe.avatar.framing import EYES_ROW, SIDE_UNITS, face_camera
from facepipe.avatar.layout import LENGTH, SPANS, from_row, to_row
from facepipe.avatar.sampling import sample
from facepipe.avatar.vector import CONTINUOUS

if TYPE_CHECKING:
    from facepipe.avatar.head import Head


def test_a_strict_vector_survives_as_a_row() -> None:
    vector = sample(3)
    row = to_row(vector.relaxed())
    assert row.shape == (LENGTH,)
    back = from_row(row).strict()
    assert back.choices == vector.choices
    assert np.allclose(list(back.sliders.values()), list(vector.sliders.values()), atol=1e-7)


def test_a_row_out_of_range_becomes_a_valid_vector() -> None:
    row = np.linspace(-1, 2, LENGTH).astype(np.float32)
    vector = from_row(row)
    assert vector.continuous.min() >= 0
    assert vector.continuous.max() <= 1
    for type_, span in SPANS.items():
        assert vector.choices[type_].sum() == pytest.approx(1, abs=1e-5)
        assert vector.choices[type_].argmax() == np.clip(row[span], 0, 1).argmax()
    assert min(span.start for span in SPANS.values()) == CONTINUOUS


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_the_frame_shows_the_eyes_in_their_row_and_the_face_in_its_size(head: Head, seed: int) -> None:
    avatar = build(sample(seed), head)
    camera, size = face_camera(avatar), 256
    names = ("eye-inner-left", "eye-outer-left", "eye-inner-right", "eye-outer-right", "mouth-left", "mouth-right")
    seen = camera.view(np.stack([avatar.head.point(name) for name in names]))
    places = camera.focal_pixels(size, size) * seen[:, :2] / -seen[:, 2:]
    left, right, mouth = places[:2].mean(0), places[2:4].mean(0), places[4:].mean(0)
    eyes = (left + right) / 2
    assert size / 2 - eyes[1] == pytest.approx(EYES_ROW * size, abs=1)
    unit = (np.hypot(*(left - right)) + np.hypot(*(eyes - mouth))) / 2
    assert unit == pytest.approx(size / SIDE_UNITS, rel=0.02)
