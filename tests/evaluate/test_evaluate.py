"""What evaluations measure, on made-up cases whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.evaluate import face_model as model_figures
from facepipe.evaluate import perception
from facepipe.evaluate.perception import Figure, bundled_pictures, figures, surroundings
from facepipe.face.fitting import fit
from tests.evaluate.motions import moving_points
from tests.face.faces import face_model


def test_figures_are_held_against_their_bars() -> None:
    """Some must not be exceeded, others must be reached; the bar itself is good enough."""
    assert Figure("error", 3.5, 3.5, True, 1).met
    assert not Figure("error", 3.6, 3.5, True, 1).met
    assert Figure("recall", 98, 98, False, 1).met
    assert not Figure("recall", 97.9, 98, False, 1).met


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


def test_the_table_of_perception_is_made_of_what_the_judge_saw() -> None:
    """Shares and means come out in the units of their bars."""

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

    found = {figure.name: figure for figure in figures(StubJudge())}
    assert [round(figure.value, 6) for figure in found.values()] == [3.0, 3.0, 3.0, 99.0, 90.0, 0.5, 0.3]
    assert [figure.met for figure in found.values()] == [True, True, True, True, False, True, True]


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
