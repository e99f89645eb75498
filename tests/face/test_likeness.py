"""The comparison of two faces by shape and looks."""

from __future__ import annotations

import numpy as np

from facepipe.face.likeness import DOUBTFUL_SCORE, OTHER_SHAPE, Comparison, person_remarks, shape_distance
from facepipe.face.pose import similarity_onto
from tests.face.faces import face_model


def slow_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Scale and shift the second shape onto the first by least squares, with the weights of the fit, in plain loops."""
    model = face_model()
    weights = model.weights / model.weights.sum()

    def prepared(shape: np.ndarray) -> np.ndarray:
        middle = sum(weight * point for weight, point in zip(weights, shape, strict=True))
        size = sum(weight * ((point - middle) ** 2).sum() for weight, point in zip(weights, shape, strict=True)) ** 0.5
        return np.array([(point - middle) / size for point in shape])

    one, other = (prepared(model.neutral(identity)[0]) for identity in (first, second))
    middle = (weights[:, None] * model.mean).sum(0)
    unit = (weights @ ((model.mean - middle) ** 2).sum(-1)) ** 0.5
    return float(unit * (weights @ ((one - other) ** 2).sum(-1)) ** 0.5)


def test_the_distance_is_that_of_points_without_position_and_size() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 80))
    assert np.isclose(shape_distance(face_model(), first, second), slow_distance(first, second), rtol=1e-9)
    assert shape_distance(face_model(), first, first) == 0
    assert shape_distance(face_model(), first, second) == shape_distance(face_model(), second, first)


def test_the_shapes_need_no_turn() -> None:
    """The model's identities have one direction: a turn that fits one onto another is below two degrees."""
    model = face_model()
    first, second = (model.neutral(one) for one in np.random.default_rng(1).normal(size=(2, 80)))
    turn = similarity_onto(first, second, model.weights).rotation[0]
    assert np.degrees(np.arccos(min(1.0, (np.trace(turn) - 1) / 2))) < 2


def test_shape_refuses_and_looks_only_remark() -> None:
    assert Comparison(OTHER_SHAPE, 1.0).is_other
    unlike = Comparison(DOUBTFUL_SCORE / 2, -2.0)
    assert not unlike.is_other
    assert [one.code for one in person_remarks(unlike, 1)] == ["other-face"]
    assert person_remarks(Comparison(DOUBTFUL_SCORE / 2, 0.8), 1) == []
