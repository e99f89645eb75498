"""The weights with which the training of the compact network begins.

E_T takes over the landmarker's features, and its tokens tell landmarks.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facepipe.models.landmarker import Landmarker
from facepipe.renderers.imf.compact.layers import reduced
from facepipe.renderers.imf.compact.net import ImfCompact
from facepipe.train.imf.heads import Heads, point_targets, point_weights
from facepipe.train.loop import to_network

FRAMES, RIDGE, CHUNK = 3000, 0.1, 50


@torch.no_grad()
def begin_with_landmarker(
    net: ImfCompact, heads: Heads, landmarker: Landmarker, frames: NDArray[np.uint8], points: NDArray[np.floating]
) -> float:
    """Take over the landmarker's features, and make the token the principal components of the landmarks.

    The last layer of E_T is the ridge regression from the features of (N, S, S, 3) frames to the unit-variance
    components of their (N, 478, 3) landmarks; the head of the landmarks inverts it. Returns the head's mean error in
    pixels.
    """
    encoder, side = net.token_encoder, frames.shape[1]
    encoder.features.load_state_dict(landmarker.features.state_dict())
    parts = [
        encoder.features(
            reduced(to_network(torch.from_numpy(frames[first : first + CHUNK]).permute(0, 3, 1, 2)), encoder.side)
        ).flatten(1)
        for first in range(0, len(frames), CHUNK)
    ]
    features = torch.cat(parts).double()
    weights = point_weights().double().repeat_interleave(2)
    places = point_targets(torch.from_numpy(np.asarray(points)), side).flatten(1).double()
    middle, mean = places.mean(0), features.mean(0)
    _, size, axes = torch.linalg.svd((places - middle) * weights, full_matrices=False)
    count = net.config.token
    unit = size[:count] / len(frames) ** 0.5
    tokens = ((places - middle) * weights) @ axes[:count].T / unit
    centred = features - mean
    gram = centred.T @ centred
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    regression = torch.linalg.solve(gram, centred.T @ tokens)
    set_linear(encoder.linear, regression.T, -(mean @ regression))
    set_linear(heads.points, (axes[:count] * unit[:, None] / weights).T, middle)
    told = heads.points(encoder.linear(features.float()))
    return float((told - places.float()).view(len(frames), -1, 2).norm(dim=2).mean() * side / 2)


def set_linear(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    """Set the weights of a linear layer."""
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
