"""The compact renderer: a small PIRenderer on top of a geometric prior, for frames of one source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.checkpoint import load_network
from facepipe.device import compute_device, compute_dtype, thread_count
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import Similarity
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.hints import Hints, Prior, hints_of, motion_of, surface_table
from facepipe.renderers.compact.net import CompactNet
from facepipe.rendering.source import Source
from facepipe.rendering.spec import NETWORK
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.spec import FrameRenderer
    from facepipe.spaces.coefficients import Coefficients
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled as as_compiled

Floats = NDArray[np.floating]
# How many frames the network draws at once. On a CPU more are no faster; of a GPU it was not measured.
BATCH_FRAMES = {"cpu": 4, "cuda": 16}


def to_pictures(batch: Tensor) -> list[NDArray[np.uint8]]:
    """Turn (B, 3, S, S) in [-1, 1] into (S, S, 3) uint8 pictures."""
    levels = batch.float().mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8).cpu().numpy()
    # OpenCV lays channels side by side ten times as quickly as torch.
    return [np.asarray(cv2.merge(tuple(planes)), np.uint8) for planes in levels]


class CompactRenderer:
    """Renders one source portrait in any pose and expression."""

    def __init__(
        self,
        net: CompactNet,
        model: FaceModel,
        source: Source,
        prior: Prior,
        *,
        batch_frames: int = 0,
        threads: int = 1,
        compiled: bool = False,
    ) -> None:
        """Draw batches of so many frames (0: as the device likes them), as many side by side as there are threads.

        On a GPU one thread is enough, whatever is asked for. `compiled` has torch compile the network first, there.
        """
        # Dtype and device of whatever is calculated with the network.
        self.like = next(net.parameters())
        device = self.like.device
        self.net = as_compiled(net, device) if compiled else net
        threads = min(threads, 1) if device.type == "cuda" else threads
        self.prior, self.batches = prior, Batches(batch_frames or BATCH_FRAMES[device.type], threads)
        self.side = source.picture.shape[0]
        self.table = surface_table(model, prior.regions())
        self.source = self._pictures([source.picture])

    def frames(self, expression: Floats, pose: Similarity) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB pictures with (T, 64) expressions in T poses, in pixels of the picture."""
        motion = torch.from_numpy(motion_of(expression, pose, self.side)).to(self.like)

        def draw(begin: int, end: int) -> list[NDArray[np.uint8]]:
            hints = [
                self._hints(expression[row : row + 1], pose.rows(slice(row, row + 1))) for row in range(begin, end)
            ]
            return self._drawn(hints, motion[begin:end])

        for pictures in self.batches.drawn(len(expression), draw):
            yield from pictures

    def _hints(self, expression: Floats, pose: Similarity) -> Hints:
        return hints_of(self.prior, self.table, self.prior.target_points(expression, pose)[0], pose)

    def _pictures(self, pictures: list[NDArray[np.uint8]]) -> Tensor:
        """Turn (S, S, 3) uint8 pictures into (B, 3, S, S) in [-1, 1], channel by channel in memory."""
        planes = np.stack([np.stack(cv2.split(picture)) for picture in pictures])
        return torch.from_numpy(planes).to(self.like).div_(127.5).sub_(1)

    @torch.inference_mode()
    def _drawn(self, batch: list[Hints], motion: Tensor) -> list[NDArray[np.uint8]]:
        prior = self._pictures([hints.picture for hints in batch])
        # BatchPaths stay float32: bfloat16 cannot tell neighbouring pixels apart.
        position = torch.from_numpy(np.stack([hints.position for hints in batch])).to(self.like.device)
        maps = torch.from_numpy(np.stack([hints.maps for hints in batch])).to(self.like)
        maps = maps.contiguous(memory_format=torch.channels_last)
        return to_pictures(self.net(self.source, prior, position, maps, motion).picture)


def load_compact(path: Path) -> CompactNet:
    """Load the network onto the compute device. On a GPU it runs in half precision, which was not measured there."""
    net = load_network(path, "pirender-compact", CompactNet, CompactConfig)
    return net.to(compute_device(), compute_dtype(device=compute_device()))


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: Prior, prepared: None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`; the prior is the mesh renderer."""
    del prepared
    model, net = load_once(load_face_model, weights["face-model"]), load_once(load_compact, weights[NETWORK])
    renderer = CompactRenderer(net, model, source, prior, threads=thread_count(), compiled=compiled)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
        rows = motion.rows(first, end)
        return renderer.frames(rows.expression, rows.pose(len(source.picture)))

    return render
