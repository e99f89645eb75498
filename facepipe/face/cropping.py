"""Square crops of a picture, upright or rotated with the face, and resampling of their pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology

Floats = NDArray[np.floating]

# Side of the landmarker's crop and of a detection's crop, relative to the longer side of the box around the points.
ALIGNED_SIDE_RATIO = 1.35
BOX_SIDE_RATIO = 1.45


@dataclass(frozen=True)
class SquareCrop:
    """A square in a picture, in pixels of the picture; x to the right, y down.

    `angle_radians` rotates the crop: positive is clockwise in the picture, like a face tilted to the viewer's right.
    """

    center_x: float
    center_y: float
    side: float
    angle_radians: float = 0.0

    def matrix(self, size_pixels: int) -> Floats:
        """Return the 2x3 affine map from picture pixels to pixels of a `size_pixels` square crop.

        Coordinates refer to pixel centres: those of the crop run from 0 to `size_pixels` - 1.
        """
        scale = size_pixels / self.side
        cos, sin = scale * np.cos(self.angle_radians), scale * np.sin(self.angle_radians)
        half = (size_pixels - 1) / 2
        return np.array(
            [
                [cos, sin, half - cos * self.center_x - sin * self.center_y],
                [-sin, cos, half + sin * self.center_x - cos * self.center_y],
            ]
        )

    def box(self) -> tuple[int, int, int, int]:
        """Return (left, top, width, height) of an upright crop in whole pixels, the form that decoding takes."""
        length = int(self.side)
        left = max(0, round(self.center_x + 0.5 - length / 2))
        top = max(0, round(self.center_y + 0.5 - length / 2))
        return left, top, length, length

    def normalised(self, points: Floats) -> Floats:
        """Convert (..., 2 or 3) points of the picture to units of the crop's side, from its top left corner."""
        inside = transform_points(points, self.matrix(1))
        inside[..., :2] += 0.5
        return inside


def pixels_of(normalised: Floats, size_pixels: int) -> Floats:
    """Convert (..., 2 or 3) points in units of a crop's side to pixels of the crop at `size_pixels`."""
    inside: Floats = normalised * size_pixels
    inside[..., :2] -= 0.5
    return inside


def invert(matrix: Floats) -> Floats:
    """Return the inverse of a 2x3 affine map."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)


def transform_points(points: Floats, matrix: Floats) -> Floats:
    """Map (..., 2 or 3) points by a 2x3 similarity; a third coordinate is multiplied by its scale."""
    flat: Floats = points[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[-1] == 2:
        return flat
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return np.concatenate([flat, points[..., 2:] * scale], axis=-1)


def outer_eye_distance(points: Floats) -> Floats:
    """Return the distance between the outer eye corners of (..., 478, 2 or 3) points, including depth if given."""
    corners = points[..., topology.LEFT_EYE_OUTER, :] - points[..., topology.RIGHT_EYE_OUTER, :]
    return np.asarray(np.linalg.norm(corners, axis=-1))


def roll_radians(points: Floats) -> float:
    """Return the in-plane rotation of (478, 2 or 3) points, from eye line and nose line so that it holds in profile."""
    right = (points[topology.RIGHT_EYE_OUTER, :2] + points[topology.RIGHT_EYE_INNER, :2]) / 2
    left = (points[topology.LEFT_EYE_OUTER, :2] + points[topology.LEFT_EYE_INNER, :2]) / 2
    mouth = (points[topology.MOUTH_RIGHT, :2] + points[topology.MOUTH_LEFT, :2]) / 2
    down = mouth - (right + left) / 2
    across = (left - right) + np.array([down[1], -down[0]])
    return float(np.arctan2(across[1], across[0]))


def aligned_crop(points: Floats) -> SquareCrop:
    """Return the crop that shows (478, 2 or 3) points upright, as the landmarker expects."""
    angle = roll_radians(points)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright = points[: topology.SKIN_COUNT, :2] @ turn.T
    low, high = upright.min(0), upright.max(0)
    center = turn.T @ ((low + high) / 2)
    return SquareCrop(float(center[0]), float(center[1]), float((high - low).max()) * ALIGNED_SIDE_RATIO, angle)


def box_crop(box: Floats) -> SquareCrop:
    """Return the upright crop around a (left, top, right, bottom) face box."""
    left, top, right, bottom = (float(edge) for edge in box)
    return SquareCrop((left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top) * BOX_SIDE_RATIO)


def box_of(points: Floats) -> Floats:
    """Return the (left, top, right, bottom) box of the skin points of (..., 478, 2 or 3) points."""
    skin = points[..., : topology.SKIN_COUNT, :2]
    return np.concatenate([skin.min(-2), skin.max(-2)], axis=-1)


def sample(image: NDArray[np.uint8], crop: SquareCrop, size_pixels: int) -> NDArray[np.uint8]:
    """Resample a crop to a (size, size, 3) picture; outside the source, border pixels are repeated.

    Large faces are first shrunk by area averaging: plain bilinear sampling would alias, and landmarks would jitter.
    """
    # Imported here because coefficient files contain a crop, and reading one must not load OpenCV.
    import cv2  # noqa: PLC0415

    matrix = crop.matrix(size_pixels)
    shrink = int(crop.side / size_pixels)
    if shrink >= 2:
        reach = crop.side * (abs(np.cos(crop.angle_radians)) + abs(np.sin(crop.angle_radians))) / 2 + 2 * shrink
        left = max(0, int(crop.center_x - reach)) // shrink * shrink
        top = max(0, int(crop.center_y - reach)) // shrink * shrink
        region = image[top : int(crop.center_y + reach) + 1, left : int(crop.center_x + reach) + 1]
        width, height = region.shape[1] // shrink, region.shape[0] // shrink
        if width and height:
            region = region[: height * shrink, : width * shrink]
            image = cv2.resize(region, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            # One pixel of the shrunken region covers `shrink` pixels of the picture; pixel centres are at +0.5.
            offset = np.array([left, top]) + (shrink - 1) / 2
            matrix = np.concatenate([matrix[:, :2] * shrink, matrix[:, :2] @ offset[:, None] + matrix[:, 2:]], axis=1)
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    return cv2.warpAffine(image, matrix, (size_pixels, size_pixels), flags=flags, borderMode=border)  # type: ignore[return-value]


def samples_exactly() -> bool:
    """Return whether this OpenCV samples at exact positions, as version 5 does; version 4 rounds them to 1/32 pixel."""
    import cv2  # noqa: PLC0415

    step = np.repeat(np.array([[0, 255]], np.float32), 2, axis=0)
    moved = cv2.warpAffine(step, np.array([[1, 0, 1 / 100], [0, 1, 0]]), (2, 2), borderMode=cv2.BORDER_REPLICATE)
    return bool(abs(moved[0, 1] - 255 * 0.99) < 0.5)


def whole_picture(size_pixels: int) -> SquareCrop:
    """Return the crop that covers an entire square clip: points relative to it are in pixels of the clip."""
    return SquareCrop((size_pixels - 1) / 2, (size_pixels - 1) / 2, float(size_pixels))
