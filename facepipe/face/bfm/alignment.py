"""Laying a face upright and alike in a square of 224 pixels, as the coefficient network was trained with it.

Points have y up and count from the middle of the bottom row, as everywhere in Deep3DFaceRecon: row = height - 1 - y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

SIZE_PIXELS = 224
#: The standard face is this large in the square: pixels of its unit.
STANDARD_PIXELS = 102.0
#: Eye, eye, tip of the nose, corners of the mouth of the standard face; x, y up, z towards the camera.
STANDARD: NDArray[np.float64] = np.array(
    [
        [-0.31148657, 0.29036078, 0.13377953],
        [0.30979887, 0.28972036, 0.13179526],
        [0.00325350, -0.04617932, 0.55244243],
        [-0.25216928, -0.38133916, 0.22405732],
        [0.24846620, -0.38128236, 0.22235769],
    ]
)
# Of the 68 points, counted from 0: their means are the five. An eye is where two of its lids' points meet.
FIVE = ((36, 39), (42, 45), (30,), (48,), (54,))


@dataclass(frozen=True)
class Alignment:
    """Where the standard face lies in a picture."""

    width: int
    height: int
    """Of the picture, in pixels."""
    scale: float
    """The picture is enlarged by this before the square is cut out."""
    x: float
    y: float
    """The origin of the face model, in pixels of the picture, y up from the bottom row."""

    @property
    def triple(self) -> tuple[float, float, float]:
        """Scale, x and y: the crop part of a motion descriptor."""
        return self.scale, self.x, self.y

    @property
    def resized(self) -> tuple[int, int]:
        """Width and height of the enlarged picture."""
        return int(self.width * self.scale), int(self.height * self.scale)

    @property
    def corner(self) -> tuple[int, int]:
        """Left and top of the square in the enlarged picture; negative where it reaches beyond."""
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
    """Return the alignment of a face by its (68, 2) points, in pixels of a picture of `size`, y down as usual."""
    return align_five(five_points(upward(points, size[1])), size)


def align_without_face(size: tuple[int, int]) -> Alignment:
    """Return the alignment that stands for a picture in which there is no face: the standard face fills it."""
    return align_five((STANDARD[:, :2] + 1) / 2 * np.array(size), size)


def upward(points: Floats, height: int) -> Floats:
    """Turn y of (..., 2) points around: down from the top row to up from the bottom row, or back."""
    return np.stack([points[..., 0], height - 1 - points[..., 1]], axis=-1)


def five_points(points: Floats) -> Floats:
    """Return the (..., 5, 2) points that are aligned out of (..., 68, 2)."""
    return np.stack([points[..., list(some), :].mean(-2) for some in FIVE], axis=-2)


def align_five(points: Floats, size: tuple[int, int]) -> Alignment:
    """Return the alignment whose affine camera sees the standard face nearest to (5, 2) points, y up; least squares."""
    known = np.concatenate([STANDARD, np.ones((5, 1))], axis=1)
    camera = np.linalg.lstsq(known, points.astype(np.float64), rcond=None)[0]
    pixels = np.linalg.norm(camera[:3], axis=0).mean()
    return Alignment(*size, STANDARD_PIXELS / float(pixels), float(camera[3, 0]), float(camera[3, 1]))


def cut_square(picture: NDArray[np.uint8], alignment: Alignment) -> NDArray[np.uint8]:
    """Return the (224, 224, 3) square of a (H, W, 3) RGB picture; black where it reaches beyond."""
    # Here, not above: whoever reads coefficients must not wait for it.
    from facepipe.media.image import resize  # noqa: PLC0415

    enlarged = resize(picture, alignment.resized)
    (left, top), (width, height) = alignment.corner, alignment.resized
    square = np.zeros((SIZE_PIXELS, SIZE_PIXELS, 3), np.uint8)
    rows = slice(max(top, 0), max(min(top + SIZE_PIXELS, height), 0))
    columns = slice(max(left, 0), max(min(left + SIZE_PIXELS, width), 0))
    part = enlarged[rows, columns]
    square[rows.start - top :, columns.start - left :][: part.shape[0], : part.shape[1]] = part
    return square
