"""Face detection in whole pictures."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import load_network
from facepipe.models import detector as network
from facepipe.models.detector import COARSEST_STRIDE_PIXELS, STRIDE_PIXELS

# Longest sides at which the network sees a picture: small for large faces, larger for small faces. Pictures are never
# enlarged.
LOOK_PIXELS = (256, 640, 1280)
# Low, because the landmarker confirms each proposal.
SCORE_FLOOR = 0.1
OVERLAP_CEILING = 0.35
# Range of face sizes accepted from each look, in pixels of the picture as the network sees it.
SEEN_PIXELS = ((24, 100000), (24, 260), (24, 120))


class Detection(NamedTuple):
    """A face found in a picture."""

    box: NDArray[np.float32]
    """(4,) left, top, right, bottom in pixels of the picture: the box of the 468 skin points."""
    score: float
    """Confidence, 0 to 1."""


class Detector:
    """The embedded face detector."""

    def __init__(self, weight: Path) -> None:
        self.net = load_network(weight, "detector", network.Detector, network.DetectorConfig)
        self.dtype = next(self.net.parameters()).dtype

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of an (H, W, 3) uint8 RGB picture, the best first."""
        found: list[Detection] = []
        longest, seen = max(picture.shape[:2]), 0
        for look, sizes in zip(LOOK_PIXELS, SEEN_PIXELS, strict=True):
            # Skip a look that would show hardly more than the previous one.
            if not seen or longest > seen * 1.25:
                seen = look
                found += self._look(picture, min(1.0, look / longest), sizes)
        return suppress(found)

    @torch.inference_mode()
    def _look(self, picture: NDArray[np.uint8], scale: float, sizes: tuple[int, int]) -> list[Detection]:
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else picture
        rows, columns = (-(-side // COARSEST_STRIDE_PIXELS) * COARSEST_STRIDE_PIXELS for side in (height, width))
        canvas = np.full((rows, columns, 3), 127, np.uint8)
        canvas[:height, :width] = small
        batch = torch.from_numpy(canvas).permute(2, 0, 1)[None].to(self.dtype) / 127.5 - 1
        out = self.net(batch.contiguous(memory_format=torch.channels_last))
        score = torch.sigmoid(out.score_logit)
        peak = (score == torch.nn.functional.max_pool2d(score, 3, 1, 1)) & (score > SCORE_FLOOR)
        detections = []
        for row, column in peak[0].nonzero().tolist():
            left, top, right, bottom = out.box_log[0, :, row, column].clamp(-4, 4).exp().tolist()
            x, y = column + 0.5, row + 0.5
            box = np.array([x - left, y - top, x + right, y + bottom], np.float32) * STRIDE_PIXELS
            if sizes[0] <= max(box[2] - box[0], box[3] - box[1]) <= sizes[1]:
                detections.append(Detection(box / np.float32(scale), float(score[0, row, column])))
        return detections


def overlap(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the intersection over union of two (left, top, right, bottom) boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return float(width * height / (sum(areas) - width * height))


def suppress(found: list[Detection]) -> list[Detection]:
    """Keep the best of each group of overlapping detections (non-maximum suppression), the best first."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda detection: -detection.score):
        if all(overlap(one.box, other.box) < OVERLAP_CEILING for other in kept):
            kept.append(one)
    return kept
