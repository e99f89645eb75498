"""The compact renderer: a small PIRenderer on top of a geometric prior, for frames of one source."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity
from facepipe.renderers.batches import Batches
from facepipe.renderers.compact.hints import Hints, Prior, hints_of, motion_of, surface_table
from facepipe.renderers.compact.net import CompactNet
from facepipe.renderers.portrait import Portrait

Floats = NDArray[np.floating]


def to_pictures(batch: Tensor) -> NDArray[np.uint8]:
    """Turn (B, 3, S, S) in [-1, 1] into (B, S, S, 3) uint8."""
    scaled = (batch.float() + 1).mul_(127.5).round_().clamp_(0, 255)
    return np.asarray(scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy())


class CompactRenderer:
    """Renders one source portrait in any pose and expression."""

    def __init__(
        self,
        net: CompactNet,
        model: FaceModel,
        portrait: Portrait,
        prior: Prior,
        *,
        batch_frames: int = 4,
        threads: int = 1,
    ) -> None:
        self.net, self.prior, self.batches = net, prior, Batches(batch_frames, threads)
        self.side = portrait.picture.shape[0]
        # Dtype and device of whatever is calculated with the network.
        self.like = next(net.parameters())
        self.table = surface_table(model, prior.regions())
        self.source = self._pictures([portrait.picture])

    def frames(self, expression: Floats, pose: Similarity) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB pictures with (T, 64) expressions in T poses, in pixels of the picture."""
        motion = torch.from_numpy(motion_of(expression, pose, self.side)).to(self.like)

        def draw(begin: int, end: int) -> NDArray[np.uint8]:
            hints = [
                self._hints(expression[row : row + 1], pose.rows(slice(row, row + 1))) for row in range(begin, end)
            ]
            return self._drawn(hints, motion[begin:end])

        for pictures in self.batches.drawn(len(expression), draw):
            yield from pictures

    def _hints(self, expression: Floats, pose: Similarity) -> Hints:
        return hints_of(self.prior, self.table, self.prior.target_points(expression, pose)[0], pose)

    def _pictures(self, pictures: list[NDArray[np.uint8]]) -> Tensor:
        """Turn (S, S, 3) uint8 pictures into (B, 3, S, S) in [-1, 1], channels last."""
        batch = torch.from_numpy(np.stack(pictures)).to(self.like.device).permute(0, 3, 1, 2)
        return batch.to(self.like.dtype) / 127.5 - 1

    @torch.inference_mode()
    def _drawn(self, batch: list[Hints], motion: Tensor) -> NDArray[np.uint8]:
        prior = self._pictures([hints.picture for hints in batch])
        # Places stay float32: bfloat16 cannot tell neighbouring pixels apart.
        position = torch.from_numpy(np.stack([hints.position for hints in batch])).to(self.like.device)
        maps = torch.from_numpy(np.stack([hints.maps for hints in batch])).to(self.like)
        maps = maps.contiguous(memory_format=torch.channels_last)
        source = self.source.expand(len(batch), -1, -1, -1)
        return to_pictures(self.net(source, prior, position, maps, motion).picture)
