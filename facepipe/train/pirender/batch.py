"""Batches of pairs as float tensors, for the training of the compact network."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from facepipe.renderers.compact.net import Rendered
from facepipe.train.pirender.pairs import Pair

Parts = TypeVar("Parts", bound=tuple[Tensor, ...])


class Batch(NamedTuple):
    """A batch of pairs as input of the network; see `Pair`."""

    source: Tensor
    truth: Tensor
    prior: Tensor
    position: Tensor
    maps: Tensor
    motion: Tensor
    points: Tensor
    crossed: Tensor


def to_batch(pair: Pair) -> Batch:
    """Convert a batch of pairs: uint8 pictures to [-1, 1], memory format channels last."""

    def last(part: Tensor) -> Tensor:
        return part.contiguous(memory_format=torch.channels_last)

    source, truth, prior = (last(part.float() / 127.5 - 1) for part in (pair.source, pair.truth, pair.prior))
    return Batch(source, truth, prior, last(pair.position), last(pair.maps), *pair[5:])


def rendered(net: nn.Module, batch: Batch) -> Rendered:
    """Render a batch."""
    outputs = net(batch.source, batch.prior, batch.position, batch.maps, batch.motion)
    return Rendered(*(part.float() for part in outputs))


def selected(parts: Parts, rows: Tensor) -> Parts:
    """Return the rows of a named tuple, a batch or a network's output, that are selected by `rows`, (B,) bool."""
    return type(parts)(*(part[rows] for part in parts))


def by_flow(made: Rendered, painted: Tensor) -> Tensor:
    """Return the pictures, (B, 3, S, S), with gradients for the flow only where `painted` is 0.

    `painted` is (B, 1, S, S); where it is 1, the whole network gets the gradient. A network that can satisfy the
    landmarker by generating pixels paints dark nostrils on a face that looks up; one that can only warp moves them.
    """
    warped = made.picture.detach() + made.warp_share.detach() * (made.warped - made.warped.detach())
    return torch.lerp(warped, made.picture, painted)
