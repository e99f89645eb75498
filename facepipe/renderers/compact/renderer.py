"""The compact renderer: a small network on top of a geometric prior, for frames of one source."""

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
from facepipe.renderers.compact.net import CompactNet, in_precision
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled as as_compiled
from facepipe.rendering.conditioning import Conditioning, Prior, conditioning_of, motion_of, surface_table
from facepipe.rendering.source import Source
from facepipe.rendering.spec import NETWORK
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.spec import FrameRenderer
    from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]
# Frames that the network renders at once. On a CPU each is computed alone, because its rounding depends on the batch:
# then neither the segment, the place in it, nor scarce memory changes a byte. Batches of four are no faster there. For
# a GPU the size was not measured.
BATCH_FRAMES = {"cpu": 1, "cuda": 16}


def to_pictures(batch: Tensor) -> list[NDArray[np.uint8]]:
    """Convert (B, 3, S, S) in [-1, 1] to (S, S, 3) uint8 pictures."""
    levels = batch.float().mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8).cpu().numpy()
    # OpenCV interleaves channels ten times faster than torch.
    return [np.asarray(cv2.merge(tuple(planes)), np.uint8) for planes in levels]


class CompactRenderer:
    """Renders a source portrait in any pose and expression."""

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
        """Open the network for one source.

        Args:
            net: The network.
            model: The face model.
            source: The portrait.
            prior: A renderer of the same source.
            batch_frames: Frames per batch; 0 for the default of the device.
            threads: Batches rendered in parallel, one per thread, at least 1; on a GPU always 1.
            compiled: Whether torch compiles the network first, on a GPU.
        """
        # Dtype and device of the network's pictures, and of all tensors given to it.
        self.like = net.final.weight
        device = self.like.device
        self.net = as_compiled(net, device) if compiled else net
        threads = 1 if device.type == "cuda" else max(threads, 1)
        self.prior, self.batches = prior, Batches(batch_frames or BATCH_FRAMES[device.type], threads)
        self.side = source.picture.shape[0]
        self.table = surface_table(model, prior.regions())
        self.source = self._pictures([source.picture])

    def frames(self, expression: Floats, pose: Similarity) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB frames for (T, 64) expressions in T poses, in pixels of the picture."""
        motion = torch.from_numpy(motion_of(expression, pose, self.side)).to(self.like.device)

        def render(begin: int, end: int) -> list[NDArray[np.uint8]]:
            rows = range(begin, end)
            batch = [self._conditioning(expression[row : row + 1], pose.rows(slice(row, row + 1))) for row in rows]
            return self._render(batch, motion[begin:end])

        for pictures in self.batches.run(len(expression), render):
            yield from pictures

    def _conditioning(self, expression: Floats, pose: Similarity) -> Conditioning:
        return conditioning_of(self.prior, self.table, self.prior.target_points(expression, pose)[0], pose)

    def _pictures(self, pictures: list[NDArray[np.uint8]]) -> Tensor:
        """Convert (S, S, 3) uint8 pictures to contiguous (B, 3, S, S) in [-1, 1]."""
        planes = np.stack([np.stack(cv2.split(picture)) for picture in pictures])
        return torch.from_numpy(planes).to(self.like).div_(127.5).sub_(1)

    @torch.inference_mode()
    def _render(self, batch: list[Conditioning], motion: Tensor) -> list[NDArray[np.uint8]]:
        prior = self._pictures([frame.picture for frame in batch])
        # Positions stay float32: bfloat16 cannot distinguish neighbouring pixels.
        position = torch.from_numpy(np.stack([frame.position for frame in batch])).to(self.like.device)
        maps = torch.from_numpy(np.stack([frame.maps for frame in batch])).to(self.like)
        maps = maps.contiguous(memory_format=torch.channels_last)
        return to_pictures(self.net(self.source, prior, position, maps, motion).picture)


def load_compact(path: Path) -> CompactNet:
    """Load the network onto the compute device, on a GPU in half precision. Its quality there was not measured."""
    net = load_network(path, "pirender-compact", CompactNet, CompactConfig, precision="fp32")
    return in_precision(net, compute_dtype(device=compute_device()), compute_device())


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: Prior, prepared: None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`. `prior` is a MeshRenderer of the same source."""
    del prepared
    model, net = load_once(load_face_model, weights["face-model"]), load_once(load_compact, weights[NETWORK])
    renderer = CompactRenderer(net, model, source, prior, threads=thread_count(), compiled=compiled)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
        rows = motion.rows(first, end)
        return renderer.frames(rows.expression, rows.pose(len(source.picture)))

    return render
