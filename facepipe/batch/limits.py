"""The failure limit of a batch, and the number of retries."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The number or share of failures that stops a batch, and the retries per item."""

    failures: int | None = None
    failures_percent: float | None = None
    """Percentage of the items to be made when the run began."""
    retries: int = 2
    """Number of retries of an item in one run after temporary failures."""

    def max_failures(self, wanted: int) -> float:
        """Return the number of failures at which the batch stops."""
        if self.failures is not None:
            return self.failures
        return math.inf if self.failures_percent is None else math.ceil(wanted * self.failures_percent / 100)
