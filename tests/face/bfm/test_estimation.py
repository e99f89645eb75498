"""Estimation of coefficients from frames and landmarks, with a regressor that reports the square it received."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.errors import NoFaceError
from facepipe.face.bfm.alignment import align, cut_square
from facepipe.face.bfm.estimation import FRAME_PIXELS, estimate
from facepipe.face.bfm.layout import COUNT, split
from facepipe.face.bfm.matlab import converted
from facepipe.face.bfm.model import BfmModel
from tests.face.bfm.invented import invented_model

Floats = NDArray[np.float64]
SIZE = (FRAME_PIXELS, FRAME_PIXELS)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facepipe.face.bfm.estimation.BATCH_FRAMES", 4)


class Reader:
    """Returns the mean colour of each square as the first coefficients."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def estimate(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.batches.append(len(squares))
        rows = np.zeros((len(squares), COUNT), np.float32)
        rows[:, :3] = [square.mean((0, 1)) for square in squares]
        return rows


def clip(count: int) -> tuple[NDArray[np.uint8], Floats]:
    """Return frames of increasingly bright noise, and 68 moving points."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 20 * np.arange(1, count + 1)[:, None, None, None], (count, *SIZE, 3)).astype(np.uint8)
    face = rng.normal(0, 30, (68, 2)) + 128
    return frames, face + 3 * np.arange(count)[:, None, None]


def test_every_frame_is_aligned_by_its_own_points() -> None:
    """Results equal those of single frames, for any batching."""
    frames, points = clip(6)
    reader = Reader()
    found = estimate(reader, frames, points, np.ones(6, bool))
    assert reader.batches == [4, 2]
    for index, (frame, row) in enumerate(zip(frames, points, strict=True)):
        expected = align(row, SIZE)
        np.testing.assert_allclose(found.crops[index], expected.triple, rtol=1e-6)
        np.testing.assert_allclose(found.rows[index, :3], cut_square(frame, expected).mean((0, 1)), rtol=1e-5)
    assert found.valid.all()
    assert not found.residual.any()


def test_frames_without_a_face_repeat_the_nearest() -> None:
    """Frames that are invalid, have implausible points, or are missing at the end never reach the network."""
    frames, points = clip(8)
    valid = np.array([False, True, True, False, True, True, True, True])
    points[2] = 128 + points[2] * 1e-5
    reader = Reader()
    done: list[int] = []
    found = estimate(reader, frames[:6], points, valid, advance=done.append)
    assert sum(reader.batches) == 3
    assert done == [4, 2]
    assert found.valid.tolist() == [False, True, False, False, True, True, False, False]
    for index, same in enumerate((1, 1, 1, 4, 4, 5, 5, 5)):
        np.testing.assert_array_equal(found.rows[index], found.rows[same])
        np.testing.assert_array_equal(found.crops[index], found.crops[same])


def test_a_clip_without_any_face_is_rejected() -> None:
    frames, points = clip(2)
    with pytest.raises(NoFaceError, match="no frame"):
        estimate(Reader(), frames, points, np.zeros(2, bool))


def test_the_residual_is_the_distance_of_the_models_points() -> None:
    """The residual equals the mean distance computed frame by frame; a frame without a face repeats the nearest."""

    class Fixed:
        def estimate(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            return np.zeros((len(squares), COUNT), np.float32)

    model = BfmModel(**converted(invented_model()))
    frames, points = clip(3)
    valid = np.array([True, True, False])
    unit = [np.linalg.norm(np.diff(align(row, SIZE).into_square(row)[[36, 45]], axis=0)) for row in points]
    found = estimate(Fixed(), frames, points, valid, model=model)
    assert found.residual.shape == (3,)
    assert found.residual[2] == found.residual[1]
    rendered = model.landmarks(split(np.zeros((1, COUNT))))[0]
    for index in range(2):
        flipped = np.stack([points[index][:, 0], 255 - points[index][:, 1]], axis=1)
        given = align(points[index], SIZE).into_square(flipped)
        assert found.residual[index] == pytest.approx(
            np.linalg.norm(rendered - given, axis=1).mean() / unit[index], rel=1e-5
        )
