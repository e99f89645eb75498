"""Pixel measures of pictures (H, W, 3) uint8 RGB; boxes are (left, top, right, bottom)."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from facepipe.face import topology as at

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
Box = tuple[int, int, int, int]
Number = TypeVar("Number", np.uint8, np.float32)
# Factor by which the box of the lips is wider and higher than the lips.
LIP_BOX_GROWTH = 1.2


def psnr(picture: Picture, truth: Picture) -> float:
    """Return the peak signal-to-noise ratio in dB; equal pictures give 108."""
    error = np.mean((picture.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(255**2 / np.maximum(error, 1e-6)))


def ssim(picture: Picture, truth: Picture) -> float:
    """Return the structural similarity of Wang et al. 2004 (Gaussian window of 1.5 pixels), mean of the channels."""
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            picture,
            truth,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def luminance(picture: Picture) -> NDArray[np.float32]:
    """Return (H, W) brightness, 0 to 255."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)


def box_around(points: Floats, shape: tuple[int, ...], *, growth: float = 1.0) -> Box:
    """Return the box of (N, 2 or 3) points in whole pixels inside a picture of `shape`, at least 2 pixels wide."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    middle, half = (low + high) / 2, (high - low) / 2 * growth
    ends = np.array([shape[1], shape[0]])
    first = np.clip(np.floor(middle - half).astype(int), 0, ends - 2)
    last = np.clip(np.ceil(middle + half).astype(int) + 1, first + 2, ends)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def face_box(points: Floats, shape: tuple[int, ...]) -> Box:
    """Return the box of the skin of (478, 2 or 3) points."""
    return box_around(points[: at.SKIN_COUNT], shape)


def lip_box(points: Floats, shape: tuple[int, ...]) -> Box:
    """Return the box of the lips of (478, 2 or 3) points, plus 20 %."""
    return box_around(points[list(at.LIP_OUTER)], shape, growth=LIP_BOX_GROWTH)


def inside(picture: NDArray[Number], box: Box) -> NDArray[Number]:
    """Return the part of a picture in a box."""
    left, top, right, bottom = box
    return picture[top:bottom, left:right]


def mean_difference(picture: Picture, truth: Picture, box: Box) -> float:
    """Return the mean absolute difference (L1) inside a box, in grey levels of 0 to 255."""
    return float(np.mean(np.abs(inside(picture, box).astype(np.int16) - inside(truth, box).astype(np.int16))))


def laplacian_energy(bright: NDArray[np.float32], box: Box) -> float:
    """Return the mean square of the Laplacian of (H, W) brightness inside a box, a measure of sharpness."""
    return float(np.mean(inside(np.asarray(cv2.Laplacian(bright, cv2.CV_32F), np.float32), box) ** 2))


def face_colour(picture: Picture, points: Floats) -> Floats:
    """Return the mean colour (3,) of the face in CIE L*a*b*, for differences in units of Delta E 1976."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points[list(at.FACE_OVAL), :2]).astype(np.int32)), 1)
    left, top, right, bottom = face_box(points, picture.shape)
    lab = cv2.cvtColor(picture[top:bottom, left:right].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    chosen = lab[mask[top:bottom, left:right] > 0]
    return np.asarray(chosen.mean(0) if len(chosen) else lab.reshape(-1, 3).mean(0), np.float64)
