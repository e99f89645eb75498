"""Metrics of perception and of the face model, on made-up cases whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.evaluate import face_model as model_figures
from facepipe.evaluate import perception
from facepipe.evaluate.perception import Metric, bundled_pictures, metrics, surroundings
from facepipe.face.fitting import fit
from tests.evaluate.motions import moving_points
from tests.face.faces import face_model


def test_metrics_are_compared_with_their_thresholds() -> None:
    """Some must not be exceeded, others must be reached; a value equal to the threshold is enough."""
    assert Metric("error", 3.5, 3.5, True, 1).met
    assert not Metric("error", 3.6, 3.5, True, 1).met
    assert Metric("recall", 98, 98, False, 1).met
    assert not Metric("recall", 97.9, 98, False, 1).met


def test_surroundings_hold_no_part_of_the_face() -> None:
    """What lies beside and below a head, wide enough to look at, and nothing of the head itself."""
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[80:200, 150:250] = 255
    parts = surroundings(picture, np.array([150, 80, 250, 200]))
    assert len(parts) == 3
    assert not any(part.any() for part in parts)
    assert surroundings(picture, np.array([10, 10, 390, 290])) == []


def test_the_bundled_pictures_are_pictures() -> None:
    """Several, RGB, each with something to see."""
    pictures = bundled_pictures()
    assert len(pictures) >= 5
    assert all(one.ndim == 3 and one.shape[2] == 3 and one.dtype == np.uint8 and one.std() > 5 for one in pictures)


def test_the_metrics_of_perception_are_made_of_what_the_judge_measured() -> None:
    """Shares and means are in the units of their thresholds."""

    class StubJudge(perception.Judge):
        def __init__(self) -> None: ...

        def point_errors(self, kind: str) -> np.ndarray:
            return np.array([0.02, 0.04])

        def recalls(self) -> dict[str, tuple[int, int]]:
            return {"own size": (99, 100), "40 pixels": (90, 100)}

        def false_faces(self) -> tuple[int, int]:
            return 1, 400

        def jitter(self) -> np.ndarray:
            return np.array([0.002, 0.004])

    found = {one.name: one for one in metrics(StubJudge())}
    assert [round(one.value, 6) for one in found.values()] == [3.0, 3.0, 3.0, 99.0, 90.0, 0.5, 0.3]
    assert [one.met for one in found.values()] == [True, True, True, True, False, True, True]


def test_rest_is_where_the_mouth_is_closed() -> None:
    """The expression at rest is that of the most closed quarter, and movement is measured in eye distances."""
    points, model = moving_points().astype(np.float64), face_model()
    fitted = fit(model, points, np.ones(40, bool))
    rest = model_figures.rest_expression(fitted, points)
    speech = 0.5 + 0.5 * np.sin(5 * np.linspace(0, 2 * np.pi, 40))
    quiet = fitted.expression[np.argsort(speech)[:10]].mean(0)
    assert model_figures.movement(model, (rest - quiet)[None]) < 0.5 * model_figures.movement(model, fitted.expression)
    one = np.zeros((1, 64))
    one[0, 0] = 2.0
    expected = 2 * np.sqrt((model.expression[0] ** 2).sum(1).mean())
    assert model_figures.movement(model, one) == pytest.approx(expected)
