"""Least squares within bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from facepipe.creation.fitting import SIDE, SOFTNESS, features
from facepipe.creation.least_squares import bounded_step, correct, normal_equations
from facepipe.creation.score import halved


def problem(rows: int = 60, columns: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    weights = random.uniform(0, 2, rows).astype(np.float32)
    weights[::5] = 0
    return (
        random.normal(size=(rows, columns)).astype(np.float32),
        random.normal(size=rows).astype(np.float32),
        weights,
    )


def test_normal_equations_are_products_of_matrices() -> None:
    rows, residuals, weights = problem()
    matrix, right = normal_equations(rows, residuals, weights)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(matrix, exact.T @ (weights[:, None] * exact), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(right, -exact.T @ (weights * residuals), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bound", [0.02, 0.1, 10.0])
def test_bounded_step_is_that_of_scipy(bound: float) -> None:
    rows, residuals, weights = problem()
    low, high = np.full(7, -bound), np.full(7, 2 * bound)
    low[0] = high[1] = 0
    step = bounded_step(*normal_equations(rows, residuals, weights), low, high)
    root = np.sqrt(weights.astype(np.float64))
    wanted = lsq_linear(root[:, None] * rows, -root * residuals, (low - 1e-12, high + 1e-12)).x
    np.testing.assert_allclose(step, wanted, atol=1e-5)
    assert (step >= low).all()
    assert (step <= high).all()


def test_features_are_means_at_several_scales() -> None:
    picture = np.random.default_rng(2).normal(size=(SIDE, SIDE, 3)).astype(np.float32)
    row = features(picture)
    np.testing.assert_array_equal(row[: picture.size], picture.ravel())
    half = picture.reshape(SIDE // 2, 2, SIDE // 2, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(halved(picture), half, atol=1e-6)
    np.testing.assert_allclose(row[picture.size : picture.size + half.size], half.ravel(), atol=1e-6)
    assert SOFTNESS > 0


def test_corrected_derivatives_give_what_a_change_gave_and_stay_across_it() -> None:
    rows, given, _ = problem()
    change, across = np.zeros(7), np.zeros(7)
    change[:2], across[:2] = (0.3, -0.4), (0.4, 0.3)
    corrected = rows.copy()
    correct(corrected, change, given)
    np.testing.assert_allclose(corrected @ change, given, atol=1e-6)
    np.testing.assert_allclose(corrected @ across, rows @ across, atol=1e-6)
    np.testing.assert_array_equal(corrected[:, 2:], rows[:, 2:])
