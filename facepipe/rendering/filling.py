"""The background of a portrait without the person: what the person hides is continued from what surrounds them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# A pixel with a larger share of the person, or near one, is hidden: hair and the lens mix it with the person's colours.
PERSON_SHARE = 0.05
MARGIN_RATIO = 0.025
"""Width of the margin around the person that is filled as well, as a fraction of the picture's side."""
SMOOTH_RATIO = 0.05
"""Standard deviation of the blur deep inside the filled region, as a fraction of the picture's side."""
# With less background than this share of the picture, nothing can be continued from it.
LEAST_SHARE = 0.002
_GRAIN_SEED = 0
_MAD_TO_DEVIATION = 1.4826


def hidden_by(matte: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that belong to a person, with a margin, from a matte (H, W) in [0, 1]."""
    reach = max(1, round(MARGIN_RATIO * max(matte.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate((matte > PERSON_SHARE).astype(np.uint8), disc) > 0)


def is_visible(matte: NDArray[np.floating]) -> bool:
    """Return whether a matte leaves enough of the background to continue it."""
    return bool((~hidden_by(matte)).mean() >= LEAST_SHARE)


def without_person(picture: NDArray[np.uint8], matte: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the background (H, W, 3) uint8 of a picture, with what the person hides filled in.

    Pixels that the person does not hide are kept. The others continue them (push-pull: averages of the visible ones at
    coarser and coarser scales), the more blurred the farther they are from them, and with their grain, so that the
    region does not look painted. If no background is visible, the picture's border is continued.

    Args:
        picture: (H, W, 3) uint8 RGB.
        matte: (H, W) in [0, 1], the share of the person in each pixel.
    """
    hidden = hidden_by(matte)
    if not is_visible(matte):
        hidden = np.ones(matte.shape, bool)
        visible = np.zeros(matte.shape, bool)
        visible[0], visible[:, 0], visible[:, -1] = True, True, True
    else:
        visible = ~hidden
    if not hidden.any():
        return picture.copy()
    colours = picture.astype(np.float32)
    filled = _smoothed(push_pull(colours, visible.astype(np.float32)), visible)
    filled += _grain(np.where(visible[..., None], colours, filled), visible)[..., None]
    return np.where(hidden[..., None], np.clip(np.round(filled), 0, 255).astype(np.uint8), picture)


def push_pull(colours: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the colours (H, W, C) with those of weight 0 interpolated from their surroundings.

    This is the push-pull algorithm of Gortler et al., The Lumigraph (1996).

    Args:
        colours: (H, W, C) float32.
        weights: (H, W) float32 in [0, 1], the confidence in each pixel; some must be above 0.
    """
    height, width = weights.shape
    if min(height, width) <= 1 or weights.min() >= 1:
        total = max(float(weights.sum()), 1e-6)
        mean = (colours * weights[..., None]).sum((0, 1)) / np.float32(total)
        return np.asarray(weights[..., None] * colours + (1 - weights[..., None]) * mean, np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    mass = cv2.resize(weights, half, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(colours * weights[..., None], half, interpolation=cv2.INTER_AREA)
    means = sums.reshape(half[1], half[0], -1) / np.maximum(mass, 1e-6)[..., None]
    # One visible pixel of four is enough to trust their mean.
    coarse = push_pull(np.asarray(means, np.float32), np.minimum(4 * mass, 1))
    raised = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    return np.asarray(weights[..., None] * colours + (1 - weights[..., None]) * raised, np.float32)


def _smoothed(filled: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Blur the filled pixels, the more the farther they are from visible ones, so that no edge runs into them."""
    deviation = SMOOTH_RATIO * max(visible.shape)
    distance = cv2.distanceTransform((~visible).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    for scale in (0.25, 1.0):
        blurred = cv2.GaussianBlur(filled, (0, 0), scale * deviation, borderType=cv2.BORDER_REPLICATE)
        share = np.clip(distance / (2 * scale * deviation), 0, 1)[..., None].astype(np.float32)
        filled = filled + share * (blurred - filled)
    return filled


def _grain(colours: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return noise (H, W) with the deviation of the finest detail in the visible pixels."""
    light = colours.mean(axis=2)
    detail = (light - cv2.GaussianBlur(light, (0, 0), 1.0))[visible]
    deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(detail)))
    noise = np.random.default_rng(_GRAIN_SEED).standard_normal(visible.shape, np.float32)
    return np.asarray(deviation * noise, np.float32)
