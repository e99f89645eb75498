"""Agreement of a matte with a reference matte."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Matte = NDArray[np.floating]
# Width of the boundary over the diagonal (Boundary IoU, Cheng et al. 2021).
BOUNDARY_RATIO = 0.02


class MatteMeasures(NamedTuple):
    """Measures of one matte, or their means over several."""

    iou: float
    """Intersection over union of both mattes, thresholded at 0.5."""
    boundary_iou: float
    """The same of the parts of both masks that are near their own contours."""
    error: float
    """Mean absolute difference."""
    boundary_error: float
    """Mean absolute difference near the reference's contour."""

    def __str__(self) -> str:
        """Return the measures on one line."""
        return (
            f"IoU {self.iou:.4f}, boundary IoU {self.boundary_iou:.4f}, mean error {self.error:.4f}, "
            f"near the boundary {self.boundary_error:.4f}"
        )


def measures(found: Matte, truth: Matte) -> MatteMeasures:
    """Compare two (H, W) mattes in [0, 1]."""
    masks = [(matte >= 0.5).astype(np.uint8) for matte in (found, truth)]
    reach = max(1, round(BOUNDARY_RATIO * float(np.hypot(*truth.shape))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    # The frame's border is no contour: outside continues what is at the border.
    edges = [mask - cv2.erode(mask, disc, borderType=cv2.BORDER_REPLICATE) for mask in masks]
    near = cv2.dilate(masks[1], disc) != cv2.erode(masks[1], disc, borderType=cv2.BORDER_REPLICATE)
    apart = np.abs(found - truth)
    return MatteMeasures(
        _iou(*masks), _iou(*edges), float(apart.mean()), float(apart[near].mean()) if near.any() else 0.0
    )


def _iou(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    """Return the intersection over union of two masks; 1 if both are empty."""
    union = float(np.logical_or(first, second).sum())
    return float(np.logical_and(first, second).sum()) / union if union else 1.0
