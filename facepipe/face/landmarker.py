"""Landmark detection: the 478 points of faces in square crops of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.checkpoint import load_network
from facepipe.device import compute_dtype
from facepipe.face.cropping import SquareCrop, invert, pixels_of, sample, transform_points
from facepipe.face.mirror import mirror_permutation
from facepipe.models import landmarker as network
from facepipe.models.rows import full_batches

# Crops per batch of the network. A single crop takes a tenth more time.
BATCH_CROPS = 2


class Seen(NamedTuple):
    """Result of a landmarker for one crop, in the units of `Located`."""

    points: NDArray[np.float32]
    """(478, 3)"""
    score: float
    sixty_eight: NDArray[np.float32] | None = None
    """(68, 3)"""


class Located(NamedTuple):
    """Landmarks of B crops, one row per crop."""

    points: NDArray[np.float32]
    """(B, 478, 3), in pixels of the picture, z in the same unit and smaller towards the camera."""
    score: NDArray[np.float32]
    """(B,) confidence that the crop shows a face, 0 to 1."""
    sixty_eight: NDArray[np.float32] | None = None
    """(B, 68, 3) in the same units, from a landmarker that finds 68 points and fits the 478 to them; else None."""

    def row(self, index: int) -> Seen:
        """Return the result of one crop."""
        own = None if self.sixty_eight is None else self.sixty_eight[index]
        return Seen(self.points[index], float(self.score[index]), own)


class FaceLandmarker(Protocol):
    """Interface of a landmarker, as tracking uses it."""

    def locate(self, pictures: Sequence[NDArray[np.uint8]], crops: Sequence[SquareCrop]) -> Located:
        """Locate the points of the face in each crop of each (H, W, 3) uint8 RGB picture."""
        ...


class Landmarker:
    """The embedded landmarker. It averages over each crop and its mirror image to reduce errors."""

    def __init__(self, weight: Path) -> None:
        # Only the feature extractor may use bfloat16: it would round coordinates to 1/256 of the crop, more than the
        # opening of barely parted lips.
        self.dtype = compute_dtype()
        self.net = load_network(weight, "landmarker", network.Landmarker, network.LandmarkerConfig, precision="fp32")
        self.net.features.to(self.dtype)
        mean = self.net.shape.bias.detach().float().numpy().reshape(1, -1, 3)
        self.mirror = mirror_permutation(mean)

    @torch.inference_mode()
    def locate(self, pictures: Sequence[NDArray[np.uint8]], crops: Sequence[SquareCrop]) -> Located:
        """Locate the points of the face in each crop of each (H, W, 3) uint8 RGB picture."""
        size = self.net.config.size_pixels
        samples = [sample(picture, crop, size) for picture, crop in zip(pictures, crops, strict=True)]
        features = [one for batch in full_batches(samples, BATCH_CROPS) for one in self._features(batch)]
        found = [self._read(features[index], crop) for index, crop in enumerate(crops)]
        points, scores = zip(*found, strict=True)
        return Located(np.stack(points).astype(np.float32), np.array(scores, np.float32))

    def _features(self, samples: list[NDArray[np.uint8]]) -> list[Tensor]:
        """Return the features (2, C, H, W) of each (S, S, 3) sample and its mirror image."""
        pixels = torch.from_numpy(np.stack(samples)).permute(0, 3, 1, 2).to(self.dtype).div_(127.5).sub_(1)
        features = self.net.features(torch.cat([pixels, pixels.flip(3)]))
        return [features[row :: len(samples)] for row in range(len(samples))]

    def _read(self, features: Tensor, crop: SquareCrop) -> tuple[NDArray[np.floating], float]:
        """Return the (478, 3) points in one crop, in pixels of the picture, and their score.

        The linear layers run on each crop alone, because their rounding depends on its position in a batch.
        """
        size, out = self.net.config.size_pixels, self.net.read(features)
        plain, mirrored = out.points.numpy().astype(np.float64)
        found = pixels_of((plain + (mirrored * (-1, 1, 1) + (1, 0, 0))[self.mirror]) / 2, size)
        return transform_points(found, invert(crop.matrix(size))), float(torch.sigmoid(out.face_logit.mean()))
