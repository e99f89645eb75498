"""Coefficients of the space `linear478` as tokens of 70 numbers: expression, angles, translation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]
SIZE = 70


def tokens_of(coefficients: Coefficients) -> Floats:
    """Return the (T, 70) tokens of T frames. Positions are relative to the crop of the coefficients."""
    return np.concatenate([coefficients.expression, coefficients.angles, coefficients.translation], axis=1)


def with_tokens(coefficients: Coefficients, tokens: Floats) -> Coefficients:
    """Return coefficients of T frames with the motion of (T, 70) tokens."""
    return coefficients.with_motion(tokens[:, :64], tokens[:, 64:67], tokens[:, 67:])
