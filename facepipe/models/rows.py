"""Computations whose rows do not depend on each other, bit for bit.

BLAS and oneDNN choose the order of summation in a matrix product by its shape. The last bits of a row of the result
therefore depend on the number of rows and on its position among them, and which shapes agree differs by processor. A
clip computed in pieces gives the same bytes as the whole only if every frame is a separate product. Convolutions
compute the pictures of a batch one by one, so for them a constant batch size is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
T = TypeVar("T")


def row_product(rows: Floats, matrix: Floats) -> Floats:
    """Return the products (..., M) of rows (..., K) and a matrix (K, M), or (...) for a vector (K,).

    Each row is a separate product, so its result is the same in any batch. Slower than `rows @ matrix` for many rows.
    """
    if matrix.ndim == 1:
        return np.asarray(row_product(rows, matrix[:, None])[..., 0])
    # NumPy passes BLAS one (1, K) matrix at a time. The memory layout affects the order of summation as well.
    return np.asarray(np.matmul(np.ascontiguousarray(rows)[..., None, :], matrix)[..., 0, :])


def row_combination(rows: Floats, directions: Floats) -> Floats:
    """Return the sums (T, ...) of directions (K, ...) weighted by rows (T, K), each row computed separately."""
    return row_product(rows, directions.reshape(len(directions), -1)).reshape(len(rows), *directions.shape[1:])


def full_batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Yield the items in batches of exactly `size`. The last batch is filled with copies of the last item."""
    for first in range(0, len(items), size):
        batch = list(items[first : first + size])
        yield batch + batch[-1:] * (size - len(batch))
