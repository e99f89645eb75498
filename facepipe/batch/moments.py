"""Count, mean, spread and bounds of a figure, in constant memory."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Moments:
    """Count, mean, spread and bounds of a figure; those of two journals merge into those of both."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared distances from the mean."""
    least: float = math.inf
    most: float = -math.inf

    def add(self, value: float) -> None:
        """Take a value in (Welford's way)."""
        self.merge(Moments(1, value, 0.0, value, value))

    def merge(self, other: Moments) -> None:
        """Take in what another has seen (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        if not count:
            return
        apart = other.mean - self.mean
        self.squares += other.squares + apart * apart * self.count * other.count / count
        self.mean += apart * other.count / count
        self.count, self.least, self.most = count, min(self.least, other.least), max(self.most, other.most)

    @property
    def spread(self) -> float:
        """Return the standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @property
    def sum(self) -> float:
        """Return the sum."""
        return self.mean * self.count
