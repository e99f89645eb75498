"""The keypoint embedder: 68 points to the input of the inference generator."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import leaky, normed
from facepipe.renderers.bilayer.config import BilayerConfig


class KeypointsEmbedder(nn.Module):
    """A perceptron, optionally on a harmonic encoding of the coordinates."""

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        self.shape = (config.inference_widest, config.inference_input_side, config.inference_input_side)
        hidden = [config.pose_width] * (config.pose_layers - 1)
        sizes = [config.pose_inputs, *hidden, math.prod(self.shape)]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [normed(nn.Linear(inputs, outputs), spectral=config.spectral_norm), leaky()]
        self.net = nn.ModuleDict({"mlp": nn.Sequential(*layers[:-1])})
        if config.harmonics:
            frequencies = math.pi * 2.0 ** torch.arange(config.harmonics)
            self.net.register_buffer("frequencies", frequencies[None, None])

    def forward(self, keypoints: Tensor) -> Tensor:
        """Map (B, 68, 2) points in [-1, 1], x before y, or (B, 136), to (B, C, 4, 4)."""
        return cast("Tensor", self.net["mlp"](self.encoded(keypoints))).reshape(-1, *self.shape)

    def encoded(self, keypoints: Tensor) -> Tensor:
        """Return the (B, inputs) numbers that the first layer takes: the coordinates, or their harmonic encoding."""
        coordinates = keypoints.flatten(1)
        if "frequencies" not in self.net._buffers:
            return coordinates
        angles = (coordinates[..., None] * cast("Tensor", self.net.frequencies)).flatten(1)
        return torch.cat([angles.sin(), angles.cos()], 1)
