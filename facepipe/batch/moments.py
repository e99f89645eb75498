"""Running statistics of a value: count, mean, standard deviation, minimum and maximum."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Moments:
    """Count, mean, standard deviation and bounds of a value, in constant memory. Two instances can be merged."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared distances from the mean."""
    minimum: float = math.inf
    maximum: float = -math.inf

    def add(self, value: float) -> None:
        """Add a value (Welford's algorithm)."""
        self.merge(Moments(1, value, 0.0, value, value))

    def merge(self, other: Moments) -> None:
        """Add the values of another instance (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        if not count:
            return
        apart = other.mean - self.mean
        self.squares += other.squares + apart * apart * self.count * other.count / count
        self.mean += apart * other.count / count
        self.count = count
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)

    @property
    def std(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @property
    def sum(self) -> float:
        """The sum."""
        return self.mean * self.count
