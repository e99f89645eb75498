"""Pairs of frames for the training of the published networks.

Every epoch takes one source and one target frame of each clip. Both are cut by the box of the source frame, as in use:
the published box, fixed for all frames of a source.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from facepipe.face.topology import SIXTY_EIGHT
from facepipe.renderers.bilayer.framing import View
from facepipe.renderers.bilayer.stickman import as_input, drawn
from facepipe.spaces.keypoints68.landmarks import Box, box_around
from facepipe.train.bilayer.mattes import Mattes
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.pairs import to_tensor

# Position in a clip, as a part of its length, between two frames that are taken: it never repeats.
STEP = math.sqrt(5)


class Side(NamedTuple):
    """The source or the target of a sample, or of a batch of samples."""

    picture: Tensor
    """(3, N, N) uint8."""
    matte: Tensor
    """(1, N, N) float32 in [0, 1]."""
    drawing: Tensor
    """(3, N, N) uint8, the stickman of the keypoints."""
    keypoints: Tensor
    """(68, 2) float32 in [-1, 1] of the box."""


class Pair(NamedTuple):
    """Two frames of a clip."""

    source: Side
    target: Side


class ClipFrames(Dataset[Pair]):
    """Endless pairs by their number. A pair depends on the number and the seed only, so that a run can be resumed."""

    def __init__(self, cache: FrameCache, mattes: Mattes, side_pixels: int, seed: int) -> None:
        self.cache, self.mattes, self.side, self.seed = cache, mattes, side_pixels, seed
        self.there = [np.flatnonzero(cache.valid[cache.clip(clip)]) for clip in range(len(cache.names))]
        self.begin = np.random.default_rng(seed).uniform(size=len(cache.names))
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, epoch: int) -> NDArray[np.intp]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.there))

    def rows(self, index: int) -> tuple[int, int, int]:
        """Return the clip of a pair, and the rows of source and target in it."""
        epoch, place = divmod(index, len(self.there))
        clip = int(self._order(epoch)[place])
        positions = [(self.begin[clip] + (2 * epoch + frame) * STEP) % 1 for frame in (1, 2)]
        last = len(self.there[clip]) - 1
        source, target = (int(self.there[clip][round(position * last)]) for position in positions)
        return clip, source, target

    def __getitem__(self, index: int) -> Pair:
        return self.pair(*self.rows(index))

    def pair(self, clip: int, source: int, target: int) -> Pair:
        """Return two frames of a clip, numbered from its first frame."""
        start, size = self.cache.clip(clip).start, self.cache.frames.shape[1]
        rows = [start + source, start + target]
        points = np.asarray(self.cache.points[rows], np.float64)[:, list(SIXTY_EIGHT), :2]
        keypoints = (points + 0.5) / (size / 2) - 1
        box = box_around(keypoints[:1])
        return Pair(
            *(self._side(row, box, box.normalised(one[None])[0]) for row, one in zip(rows, keypoints, strict=True))
        )

    def _side(self, row: int, box: Box, keypoints: NDArray[np.floating]) -> Side:
        frame, matte = np.asarray(self.cache.frames[row]), np.asarray(self.mattes[row], np.float32) / 255
        views = [View(box, len(one), self.side) for one in (frame, matte)]
        return Side(
            to_tensor(views[0].picture(frame)),
            torch.from_numpy(views[1].matte(matte))[None],
            to_tensor(drawn(keypoints, self.side)),
            torch.from_numpy(keypoints.astype(np.float32)),
        )


def to_batch(pair: Pair) -> Pair:
    """Convert pictures and drawings of a batch to float32 in [-1, 1]."""
    return Pair(*(Side(as_input(one.picture), one.matte, as_input(one.drawing), one.keypoints) for one in pair))
