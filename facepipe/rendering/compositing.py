"""Seamless compositing of a rendered crop into the picture that it was cut from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop

# Width of the transition at the crop's edges, as a fraction of its side.
FADE_RATIO = 0.10


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
        edge = np.minimum(np.arange(size_pixels) + 0.5, size_pixels - np.arange(size_pixels) - 0.5) / (
            FADE_RATIO * size_pixels
        )
        ramp = np.clip(edge, 0, 1)
        weight = (3 * ramp**2 - 2 * ramp**3).astype(np.float32)
        self.weight = self._warped(np.minimum.outer(weight, weight))[..., None]

    def _warped(self, crop: NDArray[np.integer | np.floating]) -> NDArray[np.float32]:
        size = (self.right - self.left, self.bottom - self.top)
        flags, border = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, cv2.BORDER_CONSTANT
        return np.asarray(cv2.warpAffine(crop, self.to_crop, size, flags=flags, borderMode=border), np.float32)

    def into_full(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a copy of the full picture with the rendered crop `frame` composited into it."""
        result = self.full.copy()
        window = result[self.top : self.bottom, self.left : self.right]
        mixed = window + np.clip(self.weight, 0, 1) * (np.clip(self._warped(frame), 0, 255) - window)
        window[:] = np.round(mixed).astype(np.uint8)
        return result
