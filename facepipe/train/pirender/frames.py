"""Pairs of frames as the paper trains on them: each is the source of the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from facepipe.spaces.bfm.descriptor import windows
from facepipe.train.pirender.heads import Heads
from facepipe.train.pirender.pairs import to_tensor


class Frames(NamedTuple):
    """Two frames of a clip, or a batch of such."""

    first: Tensor
    """(3, S, S) uint8."""
    second: Tensor
    first_window: Tensor
    """(73, 27) float32."""
    second_window: Tensor


class FramePairs(IterableDataset[Frames]):
    """Endless random pairs of frames: a person, one of the person's clips, two of its frames, which may be one."""

    def __init__(self, heads: Heads, rows: Sequence[NDArray[np.floating]], seed: int) -> None:
        """Take the (T, 73) descriptor rows of each clip, with those of frames without a face held or filled."""
        self.heads, self.rows, self.seed = heads, rows, seed
        self.clips = [
            [clip for clip, whose in enumerate(heads.persons) if whose == person] for person in sorted({*heads.persons})
        ]

    def __iter__(self) -> Iterator[Frames]:
        worker = get_worker_info()
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            clips = self.clips[int(random.integers(len(self.clips)))]
            clip = clips[int(random.integers(len(clips)))]
            first, second = random.choice(np.flatnonzero(self.heads.valid[self.heads.clip(clip)]), 2)
            yield self.pair(clip, int(first), int(second))

    def pair(self, clip: int, first: int, second: int) -> Frames:
        """Return two frames of a clip, counted from its first."""
        start, rows = self.heads.clip(clip).start, self.rows[clip]
        pictures = [to_tensor(np.asarray(self.heads.frames[start + row])) for row in (first, second)]
        told = [torch.from_numpy(windows(rows, row, row + 1)[0].astype(np.float32)) for row in (first, second)]
        return Frames(pictures[0], pictures[1], told[0], told[1])


def both_ways(frames: Frames) -> tuple[Tensor, Tensor, Tensor]:
    """Return (2 B, 3, S, S) sources in [-1, 1], the windows that move them, and the truths."""
    first, second = (part.float() / 127.5 - 1 for part in (frames.first, frames.second))
    sources, truths = torch.cat([first, second]), torch.cat([second, first])
    return sources, torch.cat([frames.second_window, frames.first_window]), truths
