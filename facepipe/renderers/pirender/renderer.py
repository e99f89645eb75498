"""Pictures of one portrait, from rows of motion, by a PIRenderer of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.face.descriptor import windows
from facepipe.media.image import from_tensor, to_tensor
from facepipe.renderers.batches import Batches
from facepipe.renderers.compiling import compiled as as_compiled
from facepipe.renderers.pirender.inference import FastPirender
from facepipe.renderers.pirender.net import Rendering

# How many frames are rendered at once. On a CPU one is as fast as many and takes the least memory.
BATCH_FRAMES = {"cpu": 1, "cuda": 16}


class PirenderRenderer:
    """Renders one source picture with a network that other pictures may share."""

    def __init__(self, net: FastPirender, picture: NDArray[np.uint8], *, compiled: bool = False) -> None:
        """Take an (S, S, 3) RGB picture, S a multiple of 32 and at least 64.

        `compiled` has torch compile the network first, on a GPU; which pays for long clips only.
        """
        self.net = net
        self.work = net.prepare(to_tensor(picture)[None])
        self.batches = Batches(BATCH_FRAMES[net.device.type])
        self.render = as_compiled(net.render, net.device) if compiled else net.render

    def frames(self, rows: NDArray[np.floating], first: int = 0, end: int | None = None) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB pictures of frames `first` up to `end`, left out, of a clip's (T, 73) rows.

        What lies before and after counts too, 13 frames either way: it is part of the windows.
        """
        for rendering in self.renderings(rows, first, end):
            assert rendering.fake_image is not None
            yield from from_tensor(rendering.fake_image)

    def renderings(self, rows: NDArray[np.floating], first: int = 0, end: int | None = None) -> Iterator[Rendering]:
        """Yield what the network makes of those frames, batch by batch."""
        steering = self.net.steer(torch.from_numpy(windows(rows.astype(np.float32), first, end)))
        count = (len(rows) if end is None else end) - first
        yield from self.batches.drawn(count, lambda begin, end: self.render(self.work, steering.rows(begin, end)))
