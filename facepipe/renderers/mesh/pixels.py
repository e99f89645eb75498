"""Passes over all pixels of a frame, each compiled into one loop: NumPy would go through memory a dozen times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.models.compiled import compiled

Floats = NDArray[np.float32]


@compiled
def take_places(values: Floats, own: Floats, mirror: Floats) -> None:
    """Take x and y (H, W, 2) of a point and of its mirror point out of channels 0, 1 and 5, 6 of (H, W, 8) values."""
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            for axis in range(2):
                own[row, column, axis] = values[row, column, axis]
                mirror[row, column, axis] = values[row, column, 5 + axis]


@compiled
def settle(
    position: Floats,
    shift: Floats,
    triangle: NDArray[np.int32],
    beside: int,
    values: Floats,
    depth: Floats,
    tolerance: float,
    visible: NDArray[np.bool_],
) -> None:
    """Finish source positions (H, W, 2) in place, and tell which points the source shows.

    Triangles from number `beside` on lie beside the face: their pixels take the smooth `shift` (H, W, 2) from where
    they are. A point is visible where its depth in the source, channel 2 of `values`, is at most the nearest `depth`
    there plus the tolerance.
    """
    height, width = triangle.shape
    source_height, source_width = depth.shape
    for row in range(height):
        for column in range(width):
            if triangle[row, column] >= beside:
                position[row, column, 0] = column + shift[row, column, 0]
                position[row, column, 1] = row + shift[row, column, 1]
            x = min(max(int(np.rint(position[row, column, 0])), 0), source_width - 1)
            y = min(max(int(np.rint(position[row, column, 1])), 0), source_height - 1)
            visible[row, column] = values[row, column, 2] <= depth[y, x] + tolerance


@compiled
def extent(share: Floats) -> tuple[int, int, int, int]:
    """Return top, bottom, left, right of the smallest window, ends left out, that holds all (H, W) shares below 1."""
    top, bottom, left, right = share.shape[0], 0, share.shape[1], 0
    for row in range(share.shape[0]):
        for column in range(share.shape[1]):
            if share[row, column] < 1:
                top, bottom = min(top, row), max(bottom, row + 1)
                left, right = min(left, column), max(right, column + 1)
    return top, bottom, left, right


@compiled
def mix(image: NDArray[np.uint8], other: NDArray[np.uint8], share: Floats, top: int, left: int) -> None:
    """Leave of `image` (H, W, 3) its share (H, W), and take the rest from a smaller picture laid at `top`, `left`."""
    for row in range(other.shape[0]):
        for column in range(other.shape[1]):
            own = share[top + row, left + column]
            if own < 1:
                for channel in range(3):
                    mine, theirs = image[top + row, left + column, channel], other[row, column, channel]
                    image[top + row, left + column, channel] = np.uint8(np.rint(mine * own + theirs * (1 - own)))
