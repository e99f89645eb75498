"""Mattes of the frames of a cache, by our own matting network, in a flat file beside the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.matte import Matting
from facepipe.media.files import draft_of
from facepipe.train.pirender.frame_cache import FrameCache

SIDE = 128
FILE = "mattes.u8"
Mattes = NDArray[np.uint8]


def build_mattes(cache: Path, frames: FrameCache, matting: Matting) -> Mattes:
    """Open (N, 128, 128) uint8 mattes of the N frames of a cache; if there are none, compute them first.

    The file is written at once, so that a stopped run starts over.
    """
    if not (cache / FILE).exists():
        with draft_of(cache / FILE) as draft, draft.open("wb") as file:
            for matte in _mattes(frames, matting):
                file.write(matte.tobytes())
    return open_mattes(cache, frames)


def open_mattes(cache: Path, frames: FrameCache) -> Mattes:
    """Open the mattes that `build_mattes` wrote."""
    return np.memmap(cache / FILE, np.uint8, "r", shape=(len(frames.frames), SIDE, SIDE))


def _mattes(frames: FrameCache, matting: Matting) -> Iterator[Mattes]:
    for index in range(len(frames.names)):
        clip: Iterable[NDArray[np.uint8]] = (np.asarray(frame) for frame in frames.frames[frames.clip(index)])
        for _, matte in matting.mattes(clip):
            small = cv2.resize(matte, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            yield np.asarray(small * 255 + 0.5, np.uint8)
