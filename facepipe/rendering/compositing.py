"""Seamless compositing of a rendered crop into the picture that it was cut from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop

# Width of the transition at the crop's edges, as a fraction of its side.
FADE_RATIO = 0.10


# Distance in pixels up to which an edge of the crop is one of the picture.
BORDER_PIXELS = 1.0


def _at_border(crop: SquareCrop, width: int, height: int) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """Return which edges of an upright crop coincide with the picture's: left and right, top and bottom."""
    if crop.angle_radians:
        return (False, False), (False, False)
    half = crop.side / 2 + 0.5
    left, right = crop.center_x - half < -1 + BORDER_PIXELS, crop.center_x + half > width - BORDER_PIXELS
    top, bottom = crop.center_y - half < -1 + BORDER_PIXELS, crop.center_y + half > height - BORDER_PIXELS
    return (left, right), (top, bottom)


def _fade(size_pixels: int, first: bool, last: bool) -> NDArray[np.float32]:
    """Return the weights (S,) of the rows or columns of a crop; an edge on the picture's border does not fade.

    There the crop shows all that moves, and the picture behind it would show a second time what has moved away.
    """
    index, ones = np.arange(size_pixels), np.full(size_pixels, float(size_pixels))
    edges = ones if first else index + 0.5, ones if last else size_pixels - index - 0.5
    ramp = np.clip(np.minimum(*edges) / (FADE_RATIO * size_pixels), 0, 1)
    return np.asarray(3 * ramp**2 - 2 * ramp**3, np.float32)


class Paste:
    """Pastes (S, S, 3) uint8 crops into one (H, W, 3) uint8 RGB picture, at a fixed position."""

    def __init__(self, full: NDArray[np.uint8], crop: SquareCrop, size_pixels: int) -> None:
        self.full = full
        half = crop.side / 2
        height, width = full.shape[:2]
        self.left, self.top = max(0, int(np.floor(crop.center_x - half))), max(0, int(np.floor(crop.center_y - half)))
        self.right, self.bottom = (
            min(width, int(np.ceil(crop.center_x + half)) + 1),
            min(height, int(np.ceil(crop.center_y + half)) + 1),
        )
        shift = np.array([[0, 0, self.left], [0, 0, self.top]])
        self.matrix = crop.matrix(size_pixels)
        # With WARP_INVERSE_MAP, warpAffine takes the map from the window (its output) to the crop (its input).
        self.to_crop = np.concatenate(
            [self.matrix[:, :2], self.matrix[:, :2] @ shift[:, 2:] + self.matrix[:, 2:]], axis=1
        )
        at_border = _at_border(crop, width, height)
        down, across = (_fade(size_pixels, *at_border[axis]) for axis in (1, 0))
        weight = np.minimum.outer(down, across)
        # Beyond the edges that coincide with the picture's, so that interpolation does not fade there.
        border = cv2.BORDER_REPLICATE if any(map(any, at_border)) else cv2.BORDER_CONSTANT
        self.weight = self._warped(weight, border)[..., None]

    def _warped(self, crop: NDArray[np.integer | np.floating], border: int) -> NDArray[np.float32]:
        size, flags = (self.right - self.left, self.bottom - self.top), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(crop, self.to_crop, size, flags=flags, borderMode=border), np.float32)

    def into_full(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a copy of the full picture with the rendered crop `frame` composited into it."""
        result = self.full.copy()
        window = result[self.top : self.bottom, self.left : self.right]
        mixed = window + np.clip(self.weight, 0, 1) * (
            np.clip(self._warped(frame, cv2.BORDER_REPLICATE), 0, 255) - window
        )
        window[:] = np.round(mixed).astype(np.uint8)
        return result
