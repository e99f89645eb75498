"""Pairs of frames for the paper's training: each frame is the source of the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from facepipe.spaces.bfm.descriptor import windows
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.pairs import to_tensor


class Frames(NamedTuple):
    """Two frames of a clip, or a batch of pairs."""

    first: Tensor
    """(3, S, S) uint8."""
    second: Tensor
    first_window: Tensor
    """(73, 27) float32."""
    second_window: Tensor


class FramePairs(IterableDataset[Frames]):
    """Endless random pairs of frames: a random person, one of their clips, and two of its frames, possibly the same."""

    def __init__(self, cache: FrameCache, rows: Sequence[NDArray[np.floating]], seed: int) -> None:
        """Take the (T, 73) descriptor rows of each clip; rows of frames without a face hold a neighbour's values."""
        self.cache, self.rows, self.seed = cache, rows, seed
        self.clips = [
            [clip for clip, owner in enumerate(cache.persons) if owner == person] for person in sorted({*cache.persons})
        ]

    def __iter__(self) -> Iterator[Frames]:
        worker = get_worker_info()
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            clips = self.clips[int(random.integers(len(self.clips)))]
            clip = clips[int(random.integers(len(clips)))]
            first, second = random.choice(np.flatnonzero(self.cache.valid[self.cache.clip(clip)]), 2)
            yield self.pair(clip, int(first), int(second))

    def pair(self, clip: int, first: int, second: int) -> Frames:
        """Return two frames of a clip, numbered from its first frame."""
        start, rows = self.cache.clip(clip).start, self.rows[clip]
        pictures = [to_tensor(np.asarray(self.cache.frames[start + row])) for row in (first, second)]
        descriptors = [torch.from_numpy(windows(rows, row, row + 1)[0].astype(np.float32)) for row in (first, second)]
        return Frames(pictures[0], pictures[1], descriptors[0], descriptors[1])


def both_ways(frames: Frames) -> tuple[Tensor, Tensor, Tensor]:
    """Return (2 B, 3, S, S) sources in [-1, 1], the descriptor windows that drive them, and the truths."""
    first, second = (part.float() / 127.5 - 1 for part in (frames.first, frames.second))
    sources, truths = torch.cat([first, second]), torch.cat([second, first])
    return sources, torch.cat([frames.second_window, frames.first_window]), truths
