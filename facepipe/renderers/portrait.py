"""What every renderer is given of a source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face.pose import Similarity


@dataclass(frozen=True)
class Portrait:
    """A fitted source picture."""

    picture: NDArray[np.uint8]
    """(S, S, 3) RGB."""
    points: NDArray[np.floating]
    """(478, 3) landmarks in pixels of the picture."""
    pose: Similarity
    """One row, in pixels of the picture."""
    identity: NDArray[np.floating]
    """(80,)"""
    expression: NDArray[np.floating]
    """(64,)"""
