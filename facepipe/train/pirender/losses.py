"""What a rendered picture is judged by where no VGG weights are at hand.

All losses take (B, 3, S, S) pictures in [-1, 1] and return a mean over the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.face import topology
from facepipe.models.landmarker import Landmarker
from facepipe.train.points import point_loss

EYES = [*topology.RIGHT_LID_UPPER, *topology.RIGHT_LID_LOWER, *topology.LEFT_LID_UPPER, *topology.LEFT_LID_LOWER]
MOUTH = [*topology.LIP_OUTER]
# Side of the landmarker's crop over the longer side of the box of the points.
CROP_RATIO = 1.35


def box_weight(points: Tensor, side: int, parts: list[int], margin_ratio: float) -> Tensor:
    """Return (B, 1, S, S), 1 inside the box of some of the (B, 478, 2 or 3) points plus a margin, 0 outside."""
    within = points[:, parts, :2]
    low, high = within.amin(1), within.amax(1)
    margin = (high - low).amax(1, keepdim=True) * margin_ratio
    low, high = low - margin, high + margin
    line = torch.arange(side, device=points.device)
    across = (line >= low[:, :1]) & (line <= high[:, :1])
    down = (line >= low[:, 1:]) & (line <= high[:, 1:])
    return (down[:, None, :, None] & across[:, None, None, :]).float()


def attention(points: Tensor, side: int) -> Tensor:
    """Return (B, 1, S, S) weights of the pixels: the face counts twice, mouth and eyes eight times."""
    face = box_weight(points, side, list(range(topology.SKIN_COUNT)), 0.0)
    fine = box_weight(points, side, MOUTH, 0.2) + box_weight(points, side, EYES[: len(EYES) // 2], 0.25)
    fine = fine + box_weight(points, side, EYES[len(EYES) // 2 :], 0.25)
    return 1 + face + 6 * fine.clamp(max=1)


def pyramid(first: Tensor, second: Tensor, weight: Tensor, levels: int = 4) -> Tensor:
    """Return the weighted L1 distance at several resolutions, each half as fine as the one before."""
    total = torch.zeros((), device=first.device)
    for level in range(levels):
        if level:
            first, second, weight = (functional.avg_pool2d(part, 2) for part in (first, second, weight))
        total = total + ((first - second).abs() * weight).sum() / (3 * weight.sum())
    return total / levels


def edges(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted L1 distance of the differences between neighbouring pixels."""
    total = torch.zeros((), device=first.device)
    for dim in (2, 3):
        wanted = weight.narrow(dim, 1, weight.shape[dim] - 1)
        gap = (first.diff(dim=dim) - second.diff(dim=dim)).abs() * wanted
        total = total + gap.sum() / (3 * wanted.sum())
    return total


class LandmarkerLosses(nn.Module):
    """Distance of what our own landmarker sees in two pictures: features at every width of its network, and points.

    The points say whether the drawn head is turned and the drawn mouth open as it should be, which pixels hardly do.
    """

    def __init__(self, net: Landmarker) -> None:
        super().__init__()
        self.size = net.config.size_pixels
        self.net = net.requires_grad_(False).eval()

    def frame(self, points: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Return the (B, 2) middle and (B,) half the side of the square around (B, 478, 2 or 3) points.

        Both as `grid_sample` counts in a picture of `side`: from -1 to 1, in the middles of its outermost pixels.
        """
        skin = points[:, : topology.SKIN_COUNT, :2]
        low, high = skin.amin(1), skin.amax(1)
        return (low + high) / (side - 1) - 1, (high - low).amax(1) * (CROP_RATIO / (side - 1))

    def crop(self, pictures: Tensor, points: Tensor) -> Tensor:
        """Cut the square around the points, as the landmarker is used to it, upright."""
        middle, reach = self.frame(points, pictures.shape[-1])
        theta = torch.zeros(len(points), 2, 3, device=points.device)
        theta[:, 0, 0] = theta[:, 1, 1] = reach
        theta[:, :, 2] = middle
        grid = functional.affine_grid(theta, [len(points), 3, self.size, self.size], align_corners=True)
        return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=True)

    def normalised(self, points: Tensor, side: int) -> Tensor:
        """Return (B, 478, 3) points in pixels of a picture of `side` as the landmarker tells them of its crop."""
        middle, reach = self.frame(points, side)
        inside = (points[..., :2] * 2 / (side - 1) - 1 - middle[:, None]) / reach[:, None, None]
        plane = ((inside + 1) / 2 * (self.size - 1) + 0.5) / self.size
        depth = points[..., 2:] * (self.size - 1) / self.size / (reach[:, None, None] * (side - 1))
        return torch.cat([plane, depth], -1)

    def stages(self, crops: Tensor) -> list[Tensor]:
        """Return the features before each halving, and the last."""
        kept, x = [], crops
        for layer in self.net.features:
            made = layer(x)
            if made.shape[-1] < x.shape[-1] and x.shape[1] > 3 * 4:
                kept.append(x)
            x = made
        return [*kept, x]

    def forward(self, first: Tensor, second: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean relative L1 distance of the features, and the mean error of the first's points."""
        with torch.no_grad():
            wanted = self.stages(self.crop(second, points))
            truth = self.net.read(wanted[-1]).points
        found = self.stages(self.crop(first, points))
        gaps = [(a - b).abs().mean() / b.abs().mean().clamp_min(1e-4) for a, b in zip(found, wanted, strict=True)]
        return torch.stack(gaps).mean(), point_loss(self.net.read(found[-1]).points, truth).mean()

    def misplaced(self, pictures: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean error of the points of pictures of which only (B, 478, 3) points are known, in pixels."""
        found = self.net(self.crop(pictures, wanted)).points
        truth = self.normalised(wanted, pictures.shape[-1])
        # How far a face is off as a whole, from one picture nobody can tell.
        depth = truth[..., 2:] + (found[..., 2:] - truth[..., 2:]).mean(1, keepdim=True)
        return point_loss(found, torch.cat([truth[..., :2], depth], -1)).mean()


def sharpness(pictures: Tensor) -> Tensor:
    """Return (B, 1, S - 2, S - 2), the Laplacian of the grey pictures."""
    grey = pictures.mean(1, keepdim=True)
    kernel = torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]], device=pictures.device)
    return functional.conv2d(grey, kernel)


def detail(first: Tensor, second: Tensor, cells: int = 8) -> Tensor:
    """Return how much the local energy of detail differs: blur that L1 rewards costs here, and so does noise."""
    energies = [functional.avg_pool2d(sharpness(part).square(), cells).add(1e-4).sqrt() for part in (first, second)]
    return (energies[0] - energies[1]).abs().mean()


def coarse(first: Tensor, second: Tensor, cells: int = 8) -> Tensor:
    """Return the L1 distance of the pictures made small: where things are, and nothing of their detail."""
    return (functional.avg_pool2d(first, cells) - functional.avg_pool2d(second, cells)).abs().mean()
