"""Alignment of a face in a square of 224 pixels, as in the training of the coefficient network.

Points have y up from the centre of the bottom row, as everywhere in Deep3DFaceRecon: row = height - 1 - y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

SIZE_PIXELS = 224
#: Size of the standard face in the square: pixels per unit.
STANDARD_PIXELS = 102.0
#: Eyes, nose tip and mouth corners of the standard face; x right, y up, z towards the camera.
STANDARD: NDArray[np.float64] = np.array(
    [
        [-0.31148657, 0.29036078, 0.13377953],
        [0.30979887, 0.28972036, 0.13179526],
        [0.00325350, -0.04617932, 0.55244243],
        [-0.25216928, -0.38133916, 0.22405732],
        [0.24846620, -0.38128236, 0.22235769],
    ]
)
# Indices into the 68 points, from 0; the five points are means of these. An eye is the mean of its two corners.
FIVE = ((36, 39), (42, 45), (30,), (48,), (54,))


@dataclass(frozen=True)
class Alignment:
    """Position and scale of the standard face in a picture."""

    width: int
    height: int
    """Size of the picture, in pixels."""
    scale: float
    """Factor by which the picture is resized before the square is cut out."""
    x: float
    y: float
    """Origin of the face model, in pixels of the picture, y up from the bottom row."""

    @property
    def triple(self) -> tuple[float, float, float]:
        """Scale, x and y: the crop part of a motion descriptor."""
        return self.scale, self.x, self.y

    @property
    def resized(self) -> tuple[int, int]:
        """Width and height of the resized picture."""
        return int(self.width * self.scale), int(self.height * self.scale)

    @property
    def corner(self) -> tuple[int, int]:
        """Left and top of the square in the resized picture; negative if it extends beyond the picture."""
        width, height = self.resized
        left = width / 2 - SIZE_PIXELS / 2 + (self.x - self.width / 2) * self.scale
        top = height / 2 - SIZE_PIXELS / 2 + (self.height / 2 - self.y) * self.scale
        return int(left), int(top)

    def into_square(self, points: Floats) -> Floats:
        """Map (..., 2) points of the picture, y up, into the square, y up."""
        middle = (np.array([self.width, self.height]) / 2 - (self.x, self.y) + points) * self.scale
        return np.asarray(middle - np.array(self.resized) / 2 + SIZE_PIXELS / 2)

    def out_of_square(self, points: Floats) -> Floats:
        """Map (..., 2) points of the square, y up, back into the picture, y up."""
        middle = (points + np.array(self.resized) / 2 - SIZE_PIXELS / 2) / self.scale
        return np.asarray(middle - np.array([self.width, self.height]) / 2 + (self.x, self.y))


def align(points: Floats, size: tuple[int, int]) -> Alignment:
    """Return the alignment of a face from its (68, 2) points, in pixels of a picture of `size`, y down."""
    return align_five(five_points(upward(points, size[1])), size)


def align_without_face(size: tuple[int, int]) -> Alignment:
    """Return the alignment for a picture without a face: the standard face fills the picture."""
    return align_five((STANDARD[:, :2] + 1) / 2 * np.array(size), size)


def upward(points: Floats, height: int) -> Floats:
    """Flip y of (..., 2) points: from down, counted from the top row, to up, counted from the bottom row, or back."""
    return np.stack([points[..., 0], height - 1 - points[..., 1]], axis=-1)


def five_points(points: Floats) -> Floats:
    """Return the (..., 5, 2) points used for alignment from (..., 68, 2) points."""
    return np.stack([points[..., list(some), :].mean(-2) for some in FIVE], axis=-2)


def align_five(points: Floats, size: tuple[int, int]) -> Alignment:
    """Return the alignment of (5, 2) points, y up, from the least-squares affine camera of the standard face."""
    known = np.concatenate([STANDARD, np.ones((5, 1))], axis=1)
    camera = np.linalg.lstsq(known, points.astype(np.float64), rcond=None)[0]
    pixels = np.linalg.norm(camera[:3], axis=0).mean()
    return Alignment(*size, STANDARD_PIXELS / float(pixels), float(camera[3, 0]), float(camera[3, 1]))


def cut_square(picture: NDArray[np.uint8], alignment: Alignment) -> NDArray[np.uint8]:
    """Return the (224, 224, 3) square of an (H, W, 3) uint8 RGB picture; black outside the picture."""
    # Imported here so that reading coefficients does not load it.
    from facepipe.media.image import resize  # noqa: PLC0415

    enlarged = resize(picture, alignment.resized)
    (left, top), (width, height) = alignment.corner, alignment.resized
    square = np.zeros((SIZE_PIXELS, SIZE_PIXELS, 3), np.uint8)
    rows = slice(max(top, 0), max(min(top + SIZE_PIXELS, height), 0))
    columns = slice(max(left, 0), max(min(left + SIZE_PIXELS, width), 0))
    part = enlarged[rows, columns]
    square[rows.start - top :, columns.start - left :][: part.shape[0], : part.shape[1]] = part
    return square
