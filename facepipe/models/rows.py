"""Products whose rows are rounded alone.

BLAS and oneDNN choose the order of the sums in a matrix product by its shape, so a row of the result depends in its
last bits on how many rows there are and on where it stands among them; which shapes agree differs by processor. A clip
that is computed in pieces gets the bytes of the whole only where every frame is a product of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def row_product(rows: Floats, matrix: Floats) -> Floats:
    """Return (..., M) products of (..., K) rows with a (K, M) matrix, or (...) with a (K,) vector.

    Each row is multiplied by itself, so it is the same in any batch. Slower than `rows @ matrix` for many rows.
    """
    if matrix.ndim == 1:
        return np.asarray(row_product(rows, matrix[:, None])[..., 0])
    # NumPy hands BLAS one (1, K) matrix after another; how it lies in memory decides the order of the sums as well.
    return np.asarray(np.matmul(np.ascontiguousarray(rows)[..., None, :], matrix)[..., 0, :])


def row_combination(rows: Floats, directions: Floats) -> Floats:
    """Return the (T, ...) sums of directions (K, ...) weighted by (T, K) rows, each row summed by itself."""
    return row_product(rows, directions.reshape(len(directions), -1)).reshape(len(rows), *directions.shape[1:])
