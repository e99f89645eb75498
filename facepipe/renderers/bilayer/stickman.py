"""Stickmen: drawings of 68 keypoints, which the embedder and the discriminator see beside pictures."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

THICKNESS_PIXELS = 2
# Of the published drawing: 1 of 255, not 0.
BACKGROUND = 1
RED, GREEN, BLUE, MAGENTA, CYAN, YELLOW, WHITE = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 0),
    (255, 255, 255),
)
#: Lines in the order in which they are drawn: indices of keypoints, whether the line is closed, RGB.
LINES = (
    (range(17), False, WHITE),
    (range(17, 22), False, RED),
    (range(22, 27), False, GREEN),
    (range(27, 31), False, BLUE),
    ((30, 33), False, BLUE),
    (range(31, 36), False, BLUE),
    (range(36, 42), True, MAGENTA),
    (range(42, 48), True, CYAN),
    (range(48, 60), True, YELLOW),
    (range(60, 68), True, YELLOW),
)


def drawn(keypoints: NDArray[np.floating], side: int) -> NDArray[np.uint8]:
    """Return the (side, side, 3) RGB drawing of (68, 2) keypoints in [-1, 1], x before y."""
    canvas = np.full((side, side, 3), BACKGROUND, np.uint8)
    # Truncated towards zero, as published.
    pixels = ((keypoints + 1) / 2 * side).astype(np.int32)
    for points, closed, colour in LINES:
        cv2.polylines(canvas, [pixels[list(points)]], closed, colour, THICKNESS_PIXELS)
    return canvas


def stickmen(keypoints: Tensor, side: int) -> Tensor:
    """Return drawings as the networks take them, (N, 3, side, side) float32 in [-1, 1], of (N, 68, 2) keypoints."""
    pictures = np.stack([drawn(one.float().cpu().numpy(), side) for one in keypoints])
    return as_input(torch.from_numpy(pictures).permute(0, 3, 1, 2)).to(keypoints.device)


def as_input(levels: Tensor) -> Tensor:
    """Return levels 0 to 255 as float32 in [-1, 1]."""
    return (levels.float() / 255 - 0.5) * 2
