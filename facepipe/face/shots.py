"""Cuts in a video: which frames belong to one shot.

A frame is reduced to 64x64 pixels of grey in 8x8 blocks. Two frames are compared block by block by their correlation,
so that a change of light is no change. A cut is a place at which every frame just before differs from every frame just
after (a flash differs from both sides, which equal each other), by more than frames of either side do (a camera that
swings makes every frame different).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Blocks = NDArray[np.float32]

SIDE_PIXELS, BLOCK_PIXELS = 64, 8
# Lines of a large frame that are averaged, at least.
SAMPLED_LINES = 128
# Frames on either side of a cut that are compared. Flashes of fewer frames are no cuts.
REACH_FRAMES = 3
# The change across a cut, and by how much it exceeds the changes within its sides (0 none, 1 nothing in common).
CUT_CHANGE, CUT_MARGIN = 0.55, 0.25
# Standard deviation of a block's grey levels below which it counts as flat: noise has no structure to compare.
FLAT_LEVELS = 2.0
# Standard deviation from which a block counts fully, and the number of such blocks below which a change is small: the
# last strip of a picture that slides out of an empty frame is no cut.
FULL_LEVELS, FEWEST_BLOCKS = 12.0, 20


class ShotCounter:
    """Numbers the shots of a stream of frames; a few frames are in memory."""

    def __init__(self) -> None:
        self._seen: deque[Blocks] = deque(maxlen=2 * REACH_FRAMES)
        self._cuts: list[int] = []
        self._count = 0

    def see(self, frame: Picture) -> None:
        """Take the next (H, W, 3) uint8 RGB frame."""
        self._seen.append(blocks_of(frame))
        self._count += 1
        if self._count > REACH_FRAMES and self._is_cut(self._count - REACH_FRAMES):
            self._cuts.append(self._count - REACH_FRAMES)

    def passing(self, frames: Iterable[Picture]) -> Iterator[Picture]:
        """Yield the frames unchanged, each when `begin_before` knows about it: `REACH_FRAMES` of them are in memory."""
        ahead = deque[Picture]()
        for frame in frames:
            self.see(frame)
            ahead.append(frame)
            if len(ahead) > REACH_FRAMES:
                yield ahead.popleft()
        yield from ahead

    def begin_before(self, frame: int) -> int:
        """Return the last frame, up to the given one, at which a shot begins."""
        return next((cut for cut in reversed(self._cuts) if cut <= frame), 0)

    def shots(self) -> NDArray[np.int32]:
        """Return (T,) the number of each frame's shot, from 0, once all frames were seen."""
        last = range(max(1, self._count - REACH_FRAMES + 1), self._count)
        begins = np.zeros(self._count, np.int32)
        begins[[*self._cuts, *filter(self._is_cut, last)]] = 1
        return np.cumsum(begins, dtype=np.int32)

    def _is_cut(self, place: int) -> bool:
        """Return whether a shot begins at a frame; with less than `REACH_FRAMES` frames on a side, from those."""
        frames, middle = list(self._seen), place - (self._count - len(self._seen))
        before, after = frames[max(0, middle - REACH_FRAMES) : middle], frames[middle:][:REACH_FRAMES]
        # Nearly all neighbours are alike, so that the other pairs are seldom compared.
        if change(before[-1], after[0]) < CUT_CHANGE:
            return False
        across = min(change(one, other) for one in before for other in after)
        if across < CUT_CHANGE:
            return False
        within = [change(*pair) for side in (before, after) for pair in pairwise(side)]
        return across >= max(within, default=0.0) + CUT_MARGIN


def blocks_of(frame: Picture) -> Blocks:
    """Return (64, 64): by block its grey levels, with a mean of zero; zero if the block is flat."""
    # Every N-th line of a large frame: averaging all of them would cost more than anything else here.
    lines = cv2.cvtColor(frame[:: max(1, len(frame) // SAMPLED_LINES)], cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(lines, (SIDE_PIXELS, SIDE_PIXELS), interpolation=cv2.INTER_AREA).astype(np.float32)
    count = SIDE_PIXELS // BLOCK_PIXELS
    blocks = grey.reshape(count, BLOCK_PIXELS, count, BLOCK_PIXELS).transpose(0, 2, 1, 3).reshape(count * count, -1)
    blocks -= blocks.mean(1, keepdims=True)
    blocks[np.einsum("ij,ij->i", blocks, blocks) < (FLAT_LEVELS * BLOCK_PIXELS) ** 2] = 0
    return blocks


def change(one: Blocks, other: Blocks) -> float:
    """Return how much of the structure of two frames differs: 0 none, 1 all. Blocks count by their contrast."""
    own, theirs, shared = (np.einsum("ij,ij->i", *pair) for pair in ((one, one), (other, other), (one, other)))
    own, theirs = np.sqrt(own), np.sqrt(theirs)
    weight = np.minimum(np.maximum(own, theirs) / BLOCK_PIXELS, FULL_LEVELS)
    alike = np.minimum(np.maximum(shared / np.maximum(own * theirs, 1e-6), 0), 1)
    whole = float(weight.sum())
    return (whole - float((weight * alike).sum())) / max(whole, FEWEST_BLOCKS * FULL_LEVELS)
