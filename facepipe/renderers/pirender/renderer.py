"""Pictures of one portrait, from rows of motion, by a PIRenderer of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.device import compute_device, compute_dtype
from facepipe.face.descriptor import windows
from facepipe.media.image import from_tensor, to_tensor
from facepipe.renderers.batches import Batches
from facepipe.renderers.pirender.inference import FastPirender, Steering
from facepipe.renderers.pirender.net import Pirender, Rendering

# How many frames are rendered at once. On a CPU one is as fast as many and takes the least memory.
BATCH_FRAMES = {"cpu": 1, "cuda": 16}


class PirenderRenderer:
    """Renders one source picture.

    Runs on a GPU where there is one, and in half precision where that is faster; `compiled` has torch compile the
    network first, which pays on a GPU and for long clips only.
    """

    def __init__(
        self,
        net: Pirender,
        picture: NDArray[np.uint8],
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
        compiled: bool = False,
    ) -> None:
        """Take over the network, and take an (S, S, 3) RGB picture, S a multiple of 32 and at least 64."""
        self.device = device or compute_device()
        self.fast = FastPirender(net.to(self.device), dtype=dtype or compute_dtype(device=self.device))
        self.work = self.fast.prepare(to_tensor(picture)[None].to(self.device))
        self.batches = Batches(BATCH_FRAMES[self.device.type])
        self.render = torch.compile(self.fast.render) if compiled else self.fast.render

    def frames(self, rows: NDArray[np.floating], first: int = 0, end: int | None = None) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB pictures of frames `first` up to `end`, left out, of a clip's (T, 73) rows.

        What lies before and after counts too, 13 frames either way: it is part of the windows.
        """
        for rendering in self.renderings(rows, first, end):
            assert rendering.fake_image is not None
            yield from from_tensor(rendering.fake_image)

    def renderings(self, rows: NDArray[np.floating], first: int = 0, end: int | None = None) -> Iterator[Rendering]:
        """Yield what the network makes of those frames, batch by batch."""
        steering = self.steered(windows(rows.astype(np.float32), first, end))
        count = (len(rows) if end is None else end) - first
        yield from self.batches.drawn(count, lambda begin, end: self.render(self.work, steering.rows(begin, end)))

    def steered(self, descriptors: NDArray[np.float32]) -> Steering:
        """Return the steering of (T, 73, 27) windows."""
        batch: Tensor = torch.from_numpy(descriptors)
        return self.fast.steer(batch.to(self.device))
