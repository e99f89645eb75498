"""Pictures computed in bands of rows, side by side on lone threads.

Size and place of a band depend on the picture alone, and torch computes each band on one thread, so that the number of
threads changes no byte.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import torch
import torch.nn.functional as F
from torch import Tensor

from facepipe.device import lone_threads

BANDS, MIN_ROWS = 4, 16
"""Bands of a picture, and the least rows of a band: shorter pictures have fewer bands."""


def band_count(rows: int) -> int:
    """Return the number of equal bands of a picture."""
    count = BANDS
    while count > 1 and (rows % count or rows // count < MIN_ROWS):
        count //= 2
    return count


class Bands:
    """Threads that compute bands."""

    def __init__(self, threads: int) -> None:
        self.pool: Executor = lone_threads(max(threads, 1), "bands")

    def compute(self, rows: int, work: Callable[[int, int], Tensor]) -> Tensor:
        """Compute bands `work(first, end)`, (1, C, H, W) each, of `rows` rows in all, and join them along H."""
        count = band_count(rows)
        bounds = [rows * band // count for band in range(count + 1)]
        made = list(self.pool.map(torch.inference_mode()(work), bounds[:-1], bounds[1:]))
        return made[0] if count == 1 else torch.cat(made, 2)


def rows_of(picture: Tensor, first: int, end: int) -> Tensor:
    """Return the rows `first` to `end` - 1 of (1, C, H, W), with zeros above and below the picture."""
    height = picture.shape[2]
    inside = picture[:, :, max(first, 0) : min(end, height)]
    above, below = max(-first, 0), max(end - height, 0)
    return F.pad(inside, (0, 0, above, below)) if above or below else inside


def clear_outside(band: Tensor, first: int, height: int) -> Tensor:
    """Clear the rows of a band outside a picture of `height` rows, in place; `first` is the first row of the band."""
    if first < 0:
        band[:, :, :-first] = 0
    if first + band.shape[2] > height:
        band[:, :, height - first :] = 0
    return band
