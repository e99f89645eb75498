"""Pixel measures of pictures (H, W, 3) uint8 RGB; boxes are (left, top, right, bottom)."""

from __future__ import annotations

import math
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
# Standard deviation of the window of SSIM, and its radius in pixels, 3.5 deviations.
SSIM_SIGMA, SSIM_RADIUS = 1.5, 5
# Factor by which the box of the lips is wider and higher than the lips.
LIP_BOX_GROWTH = 1.2


def psnr(picture: Picture, truth: Picture, matte: Floats | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB; equal pictures give 108.

    With a (H, W) matte, the squared error of each pixel is weighted by it.
    """
    squares = (picture.astype(np.float64) - truth) ** 2
    error = np.mean(squares) if matte is None else weighted_mean(squares.mean(-1), matte)
    return float(10 * np.log10(255**2 / np.maximum(error, 1e-6)))


def ssim(picture: Picture, truth: Picture, matte: Floats | None = None) -> float:
    """Return the structural similarity of Wang et al. 2004 (Gaussian window of 1.5 pixels), mean of the channels.

    With a (H, W) matte, the similarity at each pixel is weighted by it.
    """
    mean, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        picture,
        truth,
        data_range=255,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    if matte is None:
        return float(mean)
    # As in the mean of scikit-image, pixels whose window reaches beyond the picture do not count.
    inner = slice(SSIM_RADIUS, -SSIM_RADIUS)
    return weighted_mean(similarity.mean(-1)[inner, inner], matte[inner, inner])


def weighted_mean(values: Floats, weights: Floats) -> float:
    """Return the weighted mean of an array of values; nan if all weights are 0."""
    total = float(np.sum(weights, dtype=np.float64))
    return float(np.sum(values * weights, dtype=np.float64)) / total if total else math.nan


def over_truth(picture: Picture, truth: Picture, matte: Floats) -> Picture:
    """Return a picture that differs from `truth` only inside a (H, W) matte."""
    share = matte[..., None].astype(np.float32)
    return np.round(truth + share * (picture.astype(np.float32) - truth)).astype(np.uint8)


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


def mean_difference(picture: Picture, truth: Picture, box: Box, matte: Floats | None = None) -> float:
    """Return the mean absolute difference (L1) inside a box, in grey levels of 0 to 255, weighted by a (H, W) matte."""
    apart = np.abs(inside(picture, box).astype(np.int16) - inside(truth, box).astype(np.int16))
    return float(np.mean(apart)) if matte is None else weighted_mean(apart.mean(-1), inside(matte, box))


def laplacian_energy(bright: NDArray[np.float32], box: Box, matte: Floats | None = None) -> float:
    """Return the mean square of the Laplacian of (H, W) brightness inside a box, a measure of sharpness.

    With a (H, W) matte, each pixel is weighted by it.
    """
    squares = inside(np.asarray(cv2.Laplacian(bright, cv2.CV_32F), np.float32), box) ** 2
    return float(np.mean(squares)) if matte is None else weighted_mean(squares, inside(matte, box))


def face_colour(picture: Picture, points: Floats) -> Floats:
    """Return the mean colour (3,) of the face in CIE L*a*b*, for differences in units of Delta E 1976."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points[list(at.FACE_OVAL), :2]).astype(np.int32)), 1)
    left, top, right, bottom = face_box(points, picture.shape)
    lab = cv2.cvtColor(picture[top:bottom, left:right].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    chosen = lab[mask[top:bottom, left:right] > 0]
    return np.asarray(chosen.mean(0) if len(chosen) else lab.reshape(-1, 3).mean(0), np.float64)
