"""The Frechet distance, against its closed form and scipy's root of a matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from facepipe.evaluate.frechet import Moments, frechet_distance


def moments(*batches: np.ndarray) -> Moments:
    gathered = Moments()
    for batch in batches:
        gathered.add(batch)
    return gathered


def exactly(mean: np.ndarray, covariance: np.ndarray, count: int = 100) -> Moments:
    """Moments of exactly this mean and covariance."""
    made = Moments()
    made.count, made.total = count, mean * count
    made.products = covariance * (count - 1) + count * np.outer(mean, mean)
    return made


def test_moments_are_numpys_however_they_came() -> None:
    rows = np.random.default_rng(0).normal(3, 2, (50, 6))
    together, apart = moments(rows), moments(rows[:1], rows[1:20], rows[20:])
    for one in (together, apart):
        np.testing.assert_allclose(one.mean(), rows.mean(0))
        np.testing.assert_allclose(one.covariance(), np.cov(rows.T), atol=1e-10)


def test_gaussians_that_differ_along_the_axes() -> None:
    """|m1 - m2|^2 plus the squared differences of the deviations."""
    one, other = exactly(np.zeros(3), np.diag([1.0, 4, 9])), exactly(np.array([1.0, 2, 2]), np.diag([4.0, 4, 1]))
    assert frechet_distance(one, other) == pytest.approx(9 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_any_gaussians_as_scipy_has_it() -> None:
    random = np.random.default_rng(1)
    one, other = (moments(random.normal(0, 1, (40, 8)) @ random.normal(0, 1, (8, 8))) for _ in range(2))
    root = sqrtm(one.covariance() @ other.covariance()).real
    expected = np.sum((one.mean() - other.mean()) ** 2) + np.trace(one.covariance() + other.covariance() - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one), rel=1e-8)


def test_fewer_pictures_than_features_still_give_a_number() -> None:
    random = np.random.default_rng(2)
    one, other = moments(random.normal(0, 1, (4, 32))), moments(random.normal(0, 1, (4, 32)))
    assert frechet_distance(one, other) > 0
