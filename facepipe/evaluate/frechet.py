"""The Frechet distance of two sets of features, modelled as Gaussians (Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Moments:
    """Running mean and covariance of features, in constant memory."""

    def __init__(self) -> None:
        self.count = 0
        self.total: Floats = np.zeros(0)
        self.products: Floats = np.zeros((0, 0))

    def add(self, features: NDArray[np.floating]) -> None:
        """Add (N, D) features."""
        rows = features.astype(np.float64)
        if not self.count:
            self.total, self.products = np.zeros(rows.shape[1]), np.zeros((rows.shape[1],) * 2)
        self.count += len(rows)
        self.total += rows.sum(0)
        self.products += rows.T @ rows

    def mean(self) -> Floats:
        """Return the mean (D,)."""
        return np.asarray(self.total / self.count)

    def covariance(self) -> Floats:
        """Return the covariance (D, D), normalised by N - 1. Needs at least two features."""
        mean = self.mean()
        return np.asarray((self.products - self.count * np.outer(mean, mean)) / (self.count - 1))


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)), at least 0."""
    between = float(np.sum((first.mean() - second.mean()) ** 2))
    one, other = first.covariance(), second.covariance()
    # The root of C1 C2 has the same trace as that of C1^(1/2) C2 C1^(1/2), which is symmetric, so it is real.
    values, vectors = np.linalg.eigh(one)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    return float(max(0.0, between + np.trace(one) + np.trace(other) - 2 * shared))
