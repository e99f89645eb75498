"""Distances of two pictures in the features of networks.

LPIPS is that of Zhang et al. 2018, version 0.1. `FaceFeatures` needs no network but the embedded ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from facepipe import weights
from facepipe.checkpoint import load_network
from facepipe.evaluate.pixels import Floats, Picture
from facepipe.face.cropping import SquareCrop, box_of, sample
from facepipe.media.image import to_tensor
from facepipe.models.alexnet import LAYERS, AlexNetFeatures
from facepipe.models.detector import Detector, DetectorConfig
from facepipe.models.landmarker import Landmarker, LandmarkerConfig

Trunk = Callable[[Tensor], Sequence[Tensor]]
# Mean and standard deviation of ImageNet pixels, converted from [0, 1] to [-1, 1].
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
NEVER_ZERO = 1e-10
# The crop of `FaceFeatures` in pixels, a multiple of the coarsest stride of both networks, and over the face's box.
FACE_PIXELS, FACE_GROWTH = 160, 1.25


class Lpips:
    """LPIPS: a trunk network, and a weight for each channel of its feature maps."""

    def __init__(self, trunk: Trunk, shares: Sequence[Tensor]) -> None:
        """`trunk` computes feature maps of (B, 3, H, W) pictures; `shares` has the channel weights (C,) of each map."""
        self.trunk, self.shares = trunk, [share.reshape(1, -1, 1, 1).float() for share in shares]
        self.shift, self.scale = (torch.tensor(three).reshape(1, 3, 1, 1) for three in (SHIFT, SCALE))

    @torch.inference_mode()
    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distances (B,) of (B, 3, H, W) float32 RGB pictures in [-1, 1]."""
        total = torch.zeros(len(first))
        maps = (self.trunk((pictures - self.shift) / self.scale) for pictures in (first, second))
        for one, other, share in zip(*maps, self.shares, strict=True):
            total += ((unit(one) - unit(other)) ** 2 * share).sum(1).mean((1, 2))
        return total


def unit(maps: Tensor) -> Tensor:
    """Normalise (B, C, h, w) feature maps to channel vectors of length 1."""
    return maps / (maps.pow(2).sum(1, keepdim=True).sqrt() + NEVER_ZERO)


def lpips_of(alexnet: Mapping[str, Tensor], shares: Mapping[str, Tensor]) -> Lpips:
    """Return LPIPS of torchvision's AlexNet and the authors' `alex.pth`.

    Raises KeyError or RuntimeError where the tensors are not those of such networks.
    """
    trunk = AlexNetFeatures()
    trunk.load_state_dict({name: tensor for name, tensor in alexnet.items() if name.startswith("features.")})
    trunk.eval().requires_grad_(False)
    return Lpips(trunk, [shares[f"lin{place}.model.1.weight"] for place in range(len(LAYERS))])


class FaceFeatures:
    """Features of a face in the embedded detector and landmarker, after each of their four stages.

    The distance of two faces is that of LPIPS without learnt weights: the squared distance of the features, normalised
    to length 1 at each place, averaged over places, stages and networks; 0 for equal pictures, 4 at most. It grows with
    blur, noise and shift. It is facepipe's own and comparable with no other figure. The embedded renderers were trained
    with the landmarker's features, so compare only them with each other.
    """

    def __init__(self) -> None:
        """Load the networks in float32. Raises WeightsError if one is missing or damaged."""
        path = {name: weights.find(name).path for name in ("detector", "landmarker")}
        self.detector = load_network(path["detector"], "detector", Detector, DetectorConfig, precision="fp32")
        self.landmarker = load_network(path["landmarker"], "landmarker", Landmarker, LandmarkerConfig, precision="fp32")

    @torch.inference_mode()
    def maps(self, picture: Picture, points: Floats) -> list[Tensor]:
        """Return the normalised feature maps of the face with (478, 2 or 3) points in an (H, W, 3) uint8 picture."""
        left, top, right, bottom = (float(edge) for edge in box_of(np.asarray(points)))
        side = max(right - left, bottom - top, 2.0) * FACE_GROWTH
        crop = SquareCrop((left + right) / 2, (top + bottom) / 2, side)
        pixels = to_tensor(sample(picture, crop, FACE_PIXELS))[None]
        return [unit(one) for one in (*self._detected(pixels), *self._located(pixels))]

    def _detected(self, pixels: Tensor) -> tuple[Tensor, ...]:
        net = self.detector
        stem = net.stem(pixels)
        fine = net.fine(stem)
        middle = net.middle(net.down_middle(fine))
        return stem, fine, middle, net.coarse(net.down_coarse(middle))

    def _located(self, pixels: Tensor) -> list[Tensor]:
        """Return the output of each level of the landmarker: the last layer of each resolution below the first."""
        maps: list[Tensor] = []
        current = pixels
        for layer in self.landmarker.features:
            current = layer(current)
            if maps and maps[-1].shape[-1] == current.shape[-1]:
                maps[-1] = current
            else:
                maps.append(current)
        return maps[1:]


def feature_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """Return the distance of two results of `FaceFeatures.maps`."""
    apart = [((one - other) ** 2).sum(1).mean() for one, other in zip(first, second, strict=True)]
    return float(torch.stack(apart).mean())
