"""Locating the 478 points of faces in square crops of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import load_network
from facepipe.device import compute_dtype
from facepipe.face.cropping import SquareCrop, invert, pixels_of, sample, transform_points
from facepipe.face.mirror import mirror_permutation
from facepipe.models import landmarker as network


class Seen(NamedTuple):
    """One face as a landmarker sees it."""

    points: NDArray[np.float32]
    """(478, 3)"""
    score: float
    sixty_eight: NDArray[np.float32] | None = None
    """(68, 3)"""


class Located(NamedTuple):
    """Points of faces, one row a crop."""

    points: NDArray[np.float32]
    """(B, 478, 3), in pixels of the picture, z in the same unit and smaller towards the camera."""
    score: NDArray[np.float32]
    """(B,), how surely the crop holds a face, 0 to 1."""
    sixty_eight: NDArray[np.float32] | None = None
    """(B, 68, 3) likewise, of a landmarker that sees these and lays the 478 on them."""

    def row(self, index: int) -> Seen:
        """Return what one crop holds."""
        own = None if self.sixty_eight is None else self.sixty_eight[index]
        return Seen(self.points[index], float(self.score[index]), own)


class FaceLandmarker(Protocol):
    """What tracking asks of a landmarker."""

    def locate(self, pictures: Sequence[NDArray[np.uint8]], crops: Sequence[SquareCrop]) -> Located:
        """Locate the points of the face in each crop of each (H, W, 3) uint8 RGB picture."""
        ...


class Landmarker:
    """The embedded landmarker. It looks at each crop and at its mirror image: what the two disagree on is error."""

    def __init__(self, weight: Path) -> None:
        # Only what sees runs in bfloat16, which would tell a place to a 256th of the crop: lips part by less.
        self.dtype = compute_dtype()
        self.net = load_network(weight, "landmarker", network.Landmarker, network.LandmarkerConfig, precision="fp32")
        self.net.features.to(self.dtype)
        mean = self.net.shape.bias.detach().float().numpy().reshape(1, -1, 3)
        self.mirror = mirror_permutation(mean)

    @torch.inference_mode()
    def locate(self, pictures: Sequence[NDArray[np.uint8]], crops: Sequence[SquareCrop]) -> Located:
        """Locate the points of the face in each crop of each (H, W, 3) uint8 RGB picture."""
        found = [self._look(picture, crop) for picture, crop in zip(pictures, crops, strict=True)]
        points, scores = zip(*found, strict=True)
        return Located(np.stack(points).astype(np.float32), np.array(scores, np.float32))

    def _look(self, picture: NDArray[np.uint8], crop: SquareCrop) -> tuple[NDArray[np.floating], float]:
        """Return the (478, 3) points in one crop, in pixels of the picture, and their score.

        Each crop is computed alone, so the others do not change its rounding.
        """
        size = self.net.config.size_pixels
        pixels = torch.from_numpy(sample(picture, crop, size))[None].permute(0, 3, 1, 2).to(self.dtype) / 127.5 - 1
        out = self.net(torch.cat([pixels, pixels.flip(3)]))
        plain, mirrored = out.points.numpy().astype(np.float64)
        found = pixels_of((plain + (mirrored * (-1, 1, 1) + (1, 0, 0))[self.mirror]) / 2, size)
        return transform_points(found, invert(crop.matrix(size))), float(torch.sigmoid(out.face_logit.mean()))
