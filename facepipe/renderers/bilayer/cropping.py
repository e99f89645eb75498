"""The crop of the published system, and the keypoints inside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
# The box is moved up by this part of its half side, to hold the hair.
RAISED = 6


@dataclass(frozen=True)
class CropBox:
    """A square of a picture in whole pixels, which may reach outside it."""

    left: int
    top: int
    half_pixels: int

    def normalised(self, points: Floats) -> Floats:
        """Convert (..., 2) points in pixels of the picture to [-1, 1] across the box."""
        return (points - (self.left, self.top)) / (2 * self.half_pixels) * 2 - 1

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the (2 half_pixels, 2 half_pixels, 3) pixels in the box; black outside the (H, W, 3) picture."""
        side, (height, width) = 2 * self.half_pixels, picture.shape[:2]
        result = np.zeros((side, side, 3), np.uint8)
        left, top = max(self.left, 0), max(self.top, 0)
        right, bottom = min(self.left + side, width), min(self.top + side, height)
        if right > left and bottom > top:
            inside = result[top - self.top : bottom - self.top, left - self.left : right - self.left]
            inside[...] = picture[top:bottom, left:right]
        return result


def crop_box(landmarks: Floats) -> CropBox:
    """Return the published crop around (68, 2) landmarks in pixels: twice the face's longer side, moved up.

    Computed for every frame, it moves with the jaw and with the noise of landmarks: use one box for a clip.
    """
    low, high = landmarks.min(0), landmarks.max(0)
    half = max(int((high - low).max()), 1)
    x, y = np.round((low + high) / 2).astype(int)
    return CropBox(int(x) - half, int(y) - half // RAISED - half, half)
