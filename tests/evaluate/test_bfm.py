"""AED and APD in the basis bfm, with a regressor that tells what it was shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.evaluate.bfm import distances, estimated
from facepipe.face.bfm.layout import COUNT, GROUPS
from tests.evaluate.motions import moving_points
from tests.face.faces import face_model


class Brightness:
    """Every coefficient is the mean brightness of the square."""

    def estimate(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.stack([np.full(COUNT, square[80:140, 80:140].mean(), np.float32) for square in squares])


def value_text(levels: Sequence[int], size: int) -> list[np.ndarray]:
    return [np.full((size, size, 3), level, np.uint8) for level in levels]


def test_each_part_is_held_against_its_own() -> None:
    """At any size of the pictures; frames without a face in either do not count."""
    points, valid = moving_points(4)[:, face_model().sixty_eight], np.ones(4, bool)
    there = valid.copy()
    there[2] = False
    wanted = estimated(Brightness(), value_text([10, 20, 30, 40], 256), points, valid)
    made = estimated(Brightness(), value_text([10, 23, 200, 49], 128), points / 2, there)
    assert wanted is not None
    assert made is not None
    np.testing.assert_allclose(wanted.rows[:, 0], [10, 20, 30, 40], atol=0.5)
    found = distances(made, wanted, np.array([False, True, True, True]))
    assert found == pytest.approx({"aed_bfm": 6, "apd_angles_bfm": 6, "apd_translation_bfm": 6}, abs=0.1)
    made.rows[:, GROUPS["translation"]] += 100
    found = distances(made, wanted, np.array([False, True, False, False]))
    assert found == pytest.approx({"aed_bfm": 3, "apd_angles_bfm": 3, "apd_translation_bfm": 53}, abs=0.1)


def test_nothing_to_see_is_nothing_measured() -> None:
    points, lost = moving_points(3)[:, face_model().sixty_eight], np.zeros(3, bool)
    assert estimated(Brightness(), value_text([1, 2, 3], 64), points, lost) is None
    assert estimated(Brightness(), [], points, ~lost) is None
    one = estimated(Brightness(), value_text([1, 2, 3], 256), points, ~lost)
    assert one is not None
    assert distances(one, one, lost) == {}
