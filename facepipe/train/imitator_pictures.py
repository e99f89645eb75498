"""Pictures and vectors that the imitator learns from, decoded once, and the batches that are drawn from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.avatar.layout import LENGTH, SPANS
from facepipe.avatar.vector import CONTINUOUS
from facepipe.errors import InputError
from facepipe.train.avatar_pictures import decoded

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
MIXED = 1 / 3
"""Fraction of a batch whose choices are mixed."""
BLENDED = 0.5
"""Fraction of the mixtures whose other choices are themselves between those of two avatars."""


@dataclass(frozen=True)
class Batch:
    """Avatars, and how the first of them are mixed with the choices of others."""

    rows: Tensor
    """(B, LENGTH), strict vectors."""
    pictures: Tensor
    """(B, 3, S, S), uint8."""
    others: Tensor
    """(M, LENGTH): the first M rows with the choices of other avatars in some types."""
    shares: Tensor
    """(M,), in [0, 1]: how much of the others is in the mixtures."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


class AvatarShards:
    """The neutral pictures of a folder's shards at one size, in memory."""

    def __init__(self, folder: Path, side: int) -> None:
        self.folder, self.side = folder, side
        self._names: set[str] = set()
        self.rows: Floats = np.zeros((0, LENGTH), np.float32)
        self._pictures: list[Pixels] = []
        self._shard_of: NDArray[np.int64] = np.zeros((0, 2), np.int64)
        self.update()
        if not len(self.rows):
            raise InputError(f"{folder} has no avatars-*.npz; `facepipe train avatar-pictures` makes them")

    def update(self) -> None:
        """Decode the shards that are new in the folder."""
        for path in sorted(self.folder.glob("avatars-*.npz")):
            if path.name in self._names:
                continue
            with np.load(path) as file:
                arrays = {name: file[name] for name in ("neutral", "neutral_ends", "numbers", "choices")}
            rows = rows_of(arrays)
            places = np.stack([np.full(len(rows), len(self._pictures)), np.arange(len(rows))], axis=1)
            self._pictures.append(np.stack([self._picture(arrays, row) for row in range(len(rows))]))
            self._shard_of = np.concatenate([self._shard_of, places])
            self.rows = np.concatenate([self.rows, rows])
            self._names.add(path.name)

    def pictures(self, indices: NDArray[np.int64]) -> Tensor:
        """Return pictures (N, 3, S, S), uint8, channels last."""
        chosen = np.stack([self._pictures[shard][place] for shard, place in self._shard_of[indices]])
        return torch.from_numpy(chosen).permute(0, 3, 1, 2)

    def _picture(self, arrays: dict[str, NDArray[Any]], row: int) -> Pixels:
        pixels = decoded(arrays, "neutral", row)
        resized = cv2.resize(pixels, (self.side, self.side), interpolation=cv2.INTER_AREA)
        return np.asarray(resized, np.uint8)


def rows_of(arrays: dict[str, NDArray[Any]]) -> Floats:
    """Return the vectors (N, LENGTH) of a shard."""
    numbers, choices = arrays["numbers"], arrays["choices"]
    if numbers.shape[1] != CONTINUOUS or choices.shape[1] != len(SPANS):
        raise InputError(
            f"the pictures are of avatars with {numbers.shape[1]} numbers and {choices.shape[1]} types of asset, this "
            f"engine has {CONTINUOUS} and {len(SPANS)}; draw them anew with `facepipe train avatar-pictures`"
        )
    rows = np.zeros((len(numbers), LENGTH), np.float32)
    rows[:, :CONTINUOUS] = numbers
    for span, chosen in zip(SPANS.values(), choices.T, strict=True):
        rows[np.arange(len(rows)), span.start + chosen.astype(int)] = 1
    return rows


def endless_batches(shards: AvatarShards, batch: int, seed: int, first_step: int) -> Iterator[Batch]:
    """Yield the batches from a step on. Shards that are new in the folder join at the next pass."""
    order: NDArray[np.int64] = np.zeros(0, np.int64)
    random = np.random.default_rng((seed, first_step))
    while True:
        if len(order) < batch:
            shards.update()
            order = np.concatenate([order, random.permutation(len(shards.rows))])
        chosen, order = order[:batch], order[batch:]
        yield batch_of(shards, chosen, random)


def batch_of(shards: AvatarShards, chosen: NDArray[np.int64], random: np.random.Generator) -> Batch:
    """Return the batch of some avatars; partners for the mixtures are drawn from all of them."""
    rows = shards.rows[chosen]
    count = round(MIXED * len(rows))
    one, other = shards.rows[random.integers(len(shards.rows), size=(2, count))]
    blend = random.uniform(size=(count, 1)) * (random.uniform(size=(count, 1)) < BLENDED)
    switched = random.uniform(size=(count, len(SPANS))) < 0.5
    others = with_choices_of(rows[:count], (1 - blend) * one + blend * other, switched)
    arrays = (others, random.uniform(size=count).astype(np.float32))
    return Batch(torch.from_numpy(rows), shards.pictures(chosen), *map(torch.from_numpy, arrays))


def with_choices_of(rows: Floats, partners: Floats, switched: NDArray[np.bool_]) -> Floats:
    """Return rows (N, LENGTH) with the choices of their partners in the types that are switched, (N, types)."""
    result = rows.copy()
    for span, those in zip(SPANS.values(), switched.T, strict=True):
        result[those, span] = partners[those, span]
    return result
