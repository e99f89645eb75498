"""Shards of avatars whose pictures are simple functions of their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.sampling import sample
from facepipe.avatar.vector import AvatarVector
from facepipe.train.avatar_pictures import AvatarPictures, packed

SIDE = 32
LEFT = slice(0, SIDE // 2)


def picture_of(vector: AvatarVector) -> np.ndarray:
    """Return (SIDE, SIDE, 3): the left half is the skin's lightness, the right half bright for an even hair style."""
    pixels = np.full((SIDE, SIDE, 3), 255 * vector.colours["skin"][0], np.uint8)
    hair = list(ASSETS["hair"]).index(vector.choices["hair"])
    pixels[:, SIDE // 2 :] = 220 if hair % 2 == 0 else 30
    return pixels


def write_shard(folder: Path, first: int, vectors: Sequence[AvatarVector]) -> None:
    """Write a shard as `facepipe train avatar-pictures` does, with empty posed pictures."""
    blank = np.zeros((4, 4), np.uint8)
    colour, points = np.zeros((4, 4, 3), np.uint8), np.zeros((478, 3), np.float32)
    pictures = [AvatarPictures(one, picture_of(one), colour, blank, blank, colour, points) for one in vectors]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"avatars-{first}.npz", allow_pickle=False, **packed(pictures))


def some_vectors(count: int, first: int = 0) -> list[AvatarVector]:
    """Return random vectors."""
    return [sample(seed) for seed in range(first, first + count)]
