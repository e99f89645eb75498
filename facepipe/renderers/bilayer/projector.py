"""The prediction of adaptive parameters from the embeddings of an identity."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import BlockParameters, Predicted, normed
from facepipe.renderers.bilayer.config import EMBEDDING_SIDE_AT_RATIO_1, BilayerConfig, widths

Groups = list[list[Predicted]]
"""Predicted parameters by embedding: those of a block's second norm, its skip connection, the next block's norm."""


class Projector(nn.Module):
    """Three linear layers without nonlinearity for each adaptive layer of a generator.

    Args:
        config: Sizes.
        ratio: Width of the generator, divided by that of the embedder.
        per_norm: Adaptive layers of a norm: 1 for a batch norm, 2 (scale and shift) for 1x1 convolutions.
    """

    def __init__(self, config: BilayerConfig, *, ratio: Fraction, per_norm: int) -> None:
        super().__init__()
        self.ratio, self.per_norm = ratio, per_norm
        self.side = int(EMBEDDING_SIDE_AT_RATIO_1 * ratio)
        inputs = int(self.side**2 / ratio)
        own = widths(config.embedder_width, config.embedder_widest, config.texture_stages)[::-1]
        self.fc_blocks = nn.ModuleList()
        for wide, narrow in pairwise(own):
            # The skip connection takes the block's input; norms have the width of its output.
            norm = [1 if per_norm == 1 else int(narrow * ratio)] * per_norm
            columns = [*norm, int(wide * ratio), *norm]
            layers = [self._layers(inputs, wide, 1 + count, config) for count in columns]
            self.fc_blocks.append(nn.ModuleList(layers))

    @staticmethod
    def _layers(inputs: int, width: int, outputs: int, config: BilayerConfig) -> nn.Sequential:
        sizes = ((inputs, width), (width, width), (width, outputs))
        return nn.Sequential(*(normed(nn.Linear(*size), spectral=config.spectral_norm) for size in sizes))

    def forward(self, embeddings: Sequence[Tensor]) -> Groups:
        """Predict parameters from one (B, C, S, S) embedding per block, by group in the order of the layers."""
        groups = []
        for embedding, layers in zip(embeddings, self.fc_blocks, strict=True):
            batch, channels = embedding.shape[:2]
            resized = F.adaptive_avg_pool2d(embedding, self.side)
            # Rows are output channels: several channels of the embedding laid end to end, not interleaved.
            rows = resized.reshape(batch, int(channels * self.ratio), -1)
            groups.append([self._split(layer(rows)) for layer in cast("nn.ModuleList", layers)])
        return groups

    @staticmethod
    def _split(columns: Tensor) -> Predicted:
        """The last column is the bias; a single column before it is the scale of a norm."""
        weight = columns[..., :-1]
        return Predicted(weight[..., 0] if weight.shape[-1] == 1 else weight, columns[..., -1])


def parameters_by_block(groups: Groups, per_norm: int) -> tuple[list[BlockParameters], tuple[Predicted, ...]]:
    """Return the parameters of each block, and those of the norm after the last block.

    A group spans the boundary between a block and the norm after it.
    """
    blocks: list[BlockParameters] = []
    first: tuple[Predicted, ...] = ()
    for group in groups:
        blocks.append(BlockParameters(first, tuple(group[:per_norm]), group[per_norm]))
        first = tuple(group[per_norm + 1 :])
    return blocks, first


def repeated(groups: Groups, frames: int) -> Groups:
    """Repeat the parameters of each identity for its `frames` frames, which are next to each other."""
    return [[Predicted(*(value.repeat_interleave(frames, 0) for value in one)) for one in group] for group in groups]
