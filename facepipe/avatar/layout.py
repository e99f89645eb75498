"""Vectors of avatars as rows of numbers, as networks take and give them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.mesh import Floats
from facepipe.avatar.vector import CONTINUOUS, RelaxedVector


def _spans() -> dict[str, slice]:
    spans, start = {}, CONTINUOUS
    for type_, options in ASSETS.items():
        spans[type_] = slice(start, start + len(options))
        start += len(options)
    return spans


SPANS: Mapping[str, slice] = _spans()
"""Places of the probabilities of each type's options in a row; the continuous part is before them."""
LENGTH = CONTINUOUS + sum(map(len, ASSETS.values()))
"""Length of a row."""


def to_row(vector: RelaxedVector) -> Floats:
    """Return a vector as a row (LENGTH,)."""
    row = np.zeros(LENGTH, np.float32)
    row[:CONTINUOUS] = vector.continuous
    for type_, span in SPANS.items():
        row[span] = vector.choices[type_]
    return row


def from_row(row: Floats) -> RelaxedVector:
    """Return the vector of a row (LENGTH,). Values are clipped; the probabilities of each type are made to sum to 1.

    Raises InputError for another length.
    """
    values = np.clip(np.asarray(row, np.float64), 0, 1)
    shares = {type_: values[span] / max(values[span].sum(), 1e-12) for type_, span in SPANS.items()}
    return RelaxedVector(values[:CONTINUOUS], {name: share.astype(np.float32) for name, share in shares.items()})
