"""The weights with which the training of the compact network begins.

A token is a linear function of the landmarks of its frame: their principal components, with weight on what is small but
moves faces, the gaps of lids and lips. E_T takes over the landmarker's features, and its last layer regresses them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from facepipe.models.landmarker import POINT_COUNT
from facepipe.renderers.imf.compact.motion import TokenEncoder
from facepipe.train.points import FINE, LOWER, UPPER

RIDGE, CHUNK = 0.1, 50
# Weights of x and y of the points of eyes and lips, of the depth of all points, and of the gaps of lids and lips.
FINE_WEIGHT, DEPTH_WEIGHT, GAP_WEIGHT = 1.7, 0.5, 4.0


class Basis(NamedTuple):
    """Tokens of landmarks, of unit variance, and landmarks of tokens."""

    mean: Tensor
    """(F,) of the weighted landmarks."""
    axes: Tensor
    """(token, F), the principal components times the standard deviations along them."""

    def tokens(self, points: Tensor) -> Tensor:
        """Map (B, 478, 3) points, in half sides of the picture, to (B, token)."""
        scale = self.axes.square().sum(1)
        return (weighted(points) - self.mean) @ self.axes.T / scale

    def head(self) -> tuple[Tensor, Tensor]:
        """Return weight (478 * 3, token) and bias (478 * 3,) of the linear layer that maps tokens to points."""
        count = POINT_COUNT * 3
        worth = point_weights().flatten()
        return (self.axes[:, :count] / worth).T, self.mean[:count] / worth


def point_weights() -> Tensor:
    """Return (478, 3) weights of the coordinates."""
    weights = torch.ones(POINT_COUNT, 3)
    weights[FINE] = FINE_WEIGHT
    weights[:, 2] = DEPTH_WEIGHT
    return weights


def weighted(points: Tensor) -> Tensor:
    """Return (B, F) weighted coordinates of (B, 478, 3) points, then weighted gaps."""
    gaps = GAP_WEIGHT * (points[:, UPPER, :2] - points[:, LOWER, :2])
    return torch.cat([(points * point_weights()).flatten(1), gaps.flatten(1)], 1)


def point_targets(points: Tensor, side: int) -> Tensor:
    """Convert (B, 478, 3) points in pixels: x and y from -1 to 1 between the picture's edges, depth around its mean."""
    plane = (points[..., :2] * 2 + 1) / side - 1
    depth = (points[..., 2:] - points[..., 2:].mean(1, keepdim=True)) * (2 / side)
    return torch.cat([plane, depth], -1)


def basis_of(targets: Tensor, count: int) -> Basis:
    """Return the `count` principal components of (N, 478, 3) targets."""
    rows = weighted(targets.double())
    mean = rows.mean(0)
    _, size, axes = torch.linalg.svd(rows - mean, full_matrices=False)
    spread = size[:count, None] / len(rows) ** 0.5
    return Basis(mean.float(), (axes[:count] * spread).float())


@torch.no_grad()
def regress(encoder: TokenEncoder, frames: Tensor, wanted: Tensor) -> None:
    """Make the last layer of E_T the ridge regression from its features of (N, 3, S, S) uint8 frames to tokens."""
    parts = [encoder.features_of(chunk.float() / 127.5 - 1) for chunk in torch.split(frames, CHUNK)]
    features = torch.cat(parts).double()
    mean, middle = features.mean(0), wanted.double().mean(0)
    centred = features - mean
    gram = centred.T @ centred
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    found = torch.linalg.solve(gram, centred.T @ (wanted.double() - middle))
    set_linear(encoder.linear, found.T, middle - mean @ found)


@torch.no_grad()
def set_linear(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    """Set the weights of a linear layer."""
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
