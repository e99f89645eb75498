"""Operations on all pixels of a frame.

Most are compiled into a single loop, where NumPy would pass over memory a dozen times.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.models.compiled import compiled

Floats = NDArray[np.float32]


@compiled
def split_positions(values: Floats, own: Floats, mirror: Floats) -> None:
    """Copy the x and y of a point and of its mirror point, channels 0, 1 and 5, 6 of (H, W, 8), to two (H, W, 2)."""
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            for axis in range(2):
                own[row, column, axis] = values[row, column, axis]
                mirror[row, column, axis] = values[row, column, 5 + axis]


@compiled
def finish_positions(
    position: Floats,
    shift: Floats,
    triangle: NDArray[np.int32],
    beside: int,
    values: Floats,
    depth: Floats,
    tolerance: float,
    visible: NDArray[np.bool_],
) -> None:
    """Complete the source positions (H, W, 2) outside of the face, in place, and compute visibility in the source.

    Triangles from index `beside` on are outside of the face: their pixels get the smooth `shift` (H, W, 2), relative to
    their own position. A point is visible if its depth in the source, channel 2 of `values`, is at most the nearest
    `depth` there plus the tolerance.
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
    """Return the bounding box of the (H, W) shares below 1: top, bottom, left, right; bottom and right exclusive.

    If there are none, top is at least bottom.
    """
    top, bottom, left, right = share.shape[0], 0, share.shape[1], 0
    for row in range(share.shape[0]):
        for column in range(share.shape[1]):
            if share[row, column] < 1:
                top, bottom = min(top, row), max(bottom, row + 1)
                left, right = min(left, column), max(right, column + 1)
    return top, bottom, left, right


@compiled
def mix(image: NDArray[np.uint8], other: NDArray[np.uint8], share: Floats, top: int, left: int) -> None:
    """Mix a smaller picture at `top`, `left` into `image` (H, W, 3), in place; `share` (H, W) is that of `image`."""
    for row in range(other.shape[0]):
        for column in range(other.shape[1]):
            own = share[top + row, left + column]
            if own < 1:
                for channel in range(3):
                    mine, theirs = image[top + row, left + column, channel], other[row, column, channel]
                    image[top + row, left + column, channel] = np.uint8(np.rint(mine * own + theirs * (1 - own)))


def blend(image: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Floats, share: float) -> NDArray[np.uint8]:
    """Blend (N, 3) RGB colours over the N masked pixels, with a soft edge and a share in [0, 1].

    Changes and returns `image`, (H, W, 3). `mask` must not be empty.
    """
    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min() - 2, rows.max() + 3, columns.min() - 2, columns.max() + 3
    window = (slice(max(0, top), bottom), slice(max(0, left), right))
    layer = np.zeros((*mask[window].shape, 3), np.float32)
    inside = mask[window].astype(np.float32)
    layer[mask[window]] = colour
    soft = cv2.GaussianBlur(inside, (0, 0), 0.8)
    spread = cv2.GaussianBlur(layer, (0, 0), 0.8) / np.maximum(soft, 1e-3)[..., None]
    weight = (np.clip(soft * 1.6 - 0.3, 0, 1) * share)[..., None]
    image[window] = (image[window] * (1 - weight) + np.clip(spread, 0, 255) * weight).astype(np.uint8)
    return image
