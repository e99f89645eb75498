"""Pictures resized, turned, and side by side, such as source | driver | result."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from facepipe.media.image import check_pixels


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture (height, width, 3) uint8 to `size` (width, height), bicubic with antialiasing."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def turned(pixels: np.ndarray, degrees: int) -> np.ndarray:
    """Turn a picture (height, width, 3) clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, -degrees // 90))


def side_by_side(panels: Sequence[np.ndarray], *, height: int | None = None) -> np.ndarray:
    """Join pictures (height, width, 3) uint8 RGB from left to right.

    Each is scaled to `height` pixels with its aspect ratio kept. The default is the height of the last picture, the
    result, which is then unchanged. Returns (height, sum of widths, 3) uint8.
    """
    if not panels:
        raise ValueError("got no pictures, expected at least one")
    for panel in panels:
        check_pixels(panel)
    tall = height or panels[-1].shape[0]
    return np.concatenate(
        [resize(panel, (max(round(panel.shape[1] * tall / panel.shape[0]), 1), tall)) for panel in panels], axis=1
    )
