"""Losses on rendered pictures by our own landmarker: its features, which replace those of VGG, and its points."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.face import topology
from facepipe.models.landmarker import Landmarker
from facepipe.train.points import point_loss

# Side of the landmarker's crop over the longer side of the box of the points.
CROP_RATIO = 1.35
# Maximum random shift and scale of the crop, relative to its size.
SHIFT_RATIO, SCALE_RATIO = 0.06, 0.1


class Frame(NamedTuple):
    """Squares in pictures, in coordinates of `grid_sample`: -1 to 1 between the centres of the outermost pixels."""

    middle: Tensor
    """(B, 2)"""
    reach: Tensor
    """(B,) half the side."""
    side: int
    """Side of the pictures in pixels."""


class LandmarkerLosses(nn.Module):
    """Distance of two pictures in the features, at every width of its network, and points of our own landmarker.

    Points measure whether head rotation and mouth opening are right, to which pixel losses are hardly sensitive.
    """

    def __init__(self, net: Landmarker) -> None:
        super().__init__()
        self.size = net.config.size_pixels
        self.net = net.requires_grad_(False).eval()

    def frame(self, points: Tensor, side: int) -> Frame:
        """Return the squares around (B, 478, 2 or 3) points in pixels of pictures of `side`.

        In training each square has a random offset: otherwise the renderer learns a pattern on the grid of the
        landmarker's strides that deceives it.
        """
        skin = points[:, : topology.SKIN_COUNT, :2]
        low, high = skin.amin(1), skin.amax(1)
        middle, reach = (low + high) / (side - 1) - 1, (high - low).amax(1) * (CROP_RATIO / (side - 1))
        if self.training:
            middle = middle + reach[:, None] * SHIFT_RATIO * (torch.rand_like(middle) * 2 - 1)
            reach = reach * (1 + SCALE_RATIO * (torch.rand_like(reach) * 2 - 1))
        return Frame(middle, reach, side)

    def crop(self, pictures: Tensor, frame: Frame) -> Tensor:
        """Cut the squares upright, as the landmarker expects them."""
        theta = torch.zeros(len(pictures), 2, 3, device=pictures.device)
        theta[:, 0, 0] = theta[:, 1, 1] = frame.reach
        theta[:, :, 2] = frame.middle
        grid = functional.affine_grid(theta, [len(pictures), 3, self.size, self.size], align_corners=True)
        return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=True)

    def normalised(self, points: Tensor, frame: Frame) -> Tensor:
        """Convert (B, 478, 3) points from pixels of a picture to the landmarker's coordinates in its crop."""
        span, reach = frame.side - 1, frame.reach[:, None, None]
        inside = (points[..., :2] * 2 / span - 1 - frame.middle[:, None]) / reach
        plane = ((inside + 1) / 2 * (self.size - 1) + 0.5) / self.size
        return torch.cat([plane, points[..., 2:] * (self.size - 1) / self.size / (reach * span)], -1)

    def stages(self, crops: Tensor) -> list[Tensor]:
        """Return the features before each downsampling layer, and the last ones."""
        features, x = [], crops
        for layer in self.net.features:
            made = layer(x)
            if made.shape[-1] < x.shape[-1] and x.shape[1] > 3 * 4:
                features.append(x)
            x = made
        return [*features, x]

    def forward(self, first: Tensor, second: Tensor, points: Tensor) -> Tensor:
        """Return the mean relative L1 distance of the features."""
        frame = self.frame(points, first.shape[-1])
        with torch.no_grad():
            wanted = self.stages(self.crop(second, frame))
        found = self.stages(self.crop(first, frame))
        return relative_distance(found, wanted)

    def features_and_points(self, first: Tensor, second: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return `forward` and `apart` of the same pictures, in one pass of the network."""
        frame = self.frame(points, first.shape[-1])
        with torch.no_grad():
            wanted = self.stages(self.crop(second, frame))
            truth = self.net.read(wanted[-1]).points
        found = self.stages(self.crop(first, frame))
        error = point_loss(self.net.read(found[-1]).points, truth).mean()
        return relative_distance(found, wanted), error

    def apart(self, first: Tensor, second: Tensor, points: Tensor) -> Tensor:
        """Return the mean error of the first pictures' points, with those of the second pictures as truth."""
        frame = self.frame(points, first.shape[-1])
        with torch.no_grad():
            truth = self.net(self.crop(second, frame)).points
        return point_loss(self.net(self.crop(first, frame)).points, truth).mean()

    def misplaced(self, pictures: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean error of the pictures' points, with `wanted`, (B, 478, 3) in pixels, as truth."""
        frame = self.frame(wanted, pictures.shape[-1])
        found, truth = self.net(self.crop(pictures, frame)).points, self.normalised(wanted, frame)
        # The depth of the whole face cannot be determined from one picture.
        depth = truth[..., 2:] + (found[..., 2:] - truth[..., 2:]).mean(1, keepdim=True)
        return point_loss(found, torch.cat([truth[..., :2], depth], -1)).mean()


def relative_distance(found: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Return the mean L1 distance of features, relative to the size of the wanted ones."""
    gaps = [(a - b).abs().mean() / b.abs().mean().clamp_min(1e-4) for a, b in zip(found, wanted, strict=True)]
    return torch.stack(gaps).mean()
