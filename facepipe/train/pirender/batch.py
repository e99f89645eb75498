"""A batch of pairs as the compact network is trained on it."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from facepipe.renderers.compact.net import Rendered
from facepipe.train.pirender.pairs import Pair

Parts = TypeVar("Parts", "Batch", Rendered)


class Batch(NamedTuple):
    """A batch of pairs as the network takes it; see `Pair`."""

    source: Tensor
    truth: Tensor
    prior: Tensor
    position: Tensor
    maps: Tensor
    motion: Tensor
    points: Tensor
    crossed: Tensor


def to_batch(pair: Pair) -> Batch:
    """Turn uint8 pictures into [-1, 1], channels last."""

    def last(part: Tensor) -> Tensor:
        return part.contiguous(memory_format=torch.channels_last)

    source, truth, prior = (last(part.float() / 127.5 - 1) for part in (pair.source, pair.truth, pair.prior))
    return Batch(source, truth, prior, last(pair.position), last(pair.maps), *pair[5:])


def rendered(net: nn.Module, batch: Batch) -> Rendered:
    """Draw a batch."""
    drawn = net(batch.source, batch.prior, batch.position, batch.maps, batch.motion)
    return Rendered(*(part.float() for part in drawn))


def taken(parts: Parts, rows: Tensor) -> Parts:
    """Return some rows of a batch, or of what was made of it; `rows` is (B,) bool."""
    return type(parts)(*(part[rows] for part in parts))


def by_flow(made: Rendered, painted: Tensor) -> Tensor:
    """Return the pictures (B, 3, S, S) as they are, but for a gradient that only the flow feels off `painted`.

    `painted` is (B, 1, S, S), 1 where all of the network feels it and 0 elsewhere. Who may paint to please a landmarker
    draws dark nostrils for a face that looks up; who may only move things moves them.
    """
    moved = made.picture.detach() + made.warp_share.detach() * (made.warped - made.warped.detach())
    return torch.lerp(moved, made.picture, painted)
