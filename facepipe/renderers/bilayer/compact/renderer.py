"""Renders a portrait with the compact bi-layer network, on the flow of the mesh renderer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facepipe.checkpoint import THREADS, load_network
from facepipe.device import compute_device, compute_dtype, thread_count
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import Similarity
from facepipe.models.resampling import resized
from facepipe.renderers.bilayer.compact.config import CompactBilayerConfig
from facepipe.renderers.bilayer.compact.merging import merge, with_tensors
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet, Frame, Texture
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled as as_compiled
from facepipe.rendering.conditioning import Conditioning, Prior, conditioning_of, surface_table
from facepipe.rendering.source import Picture, Source
from facepipe.rendering.spec import NETWORK
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.spec import FrameRenderer, PreparedTensors
    from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]
KIND = "bilayer-compact"
SHARPENING = 0.7
"""Chosen on eight clips of seen people, so that encoded results are as sharp as the mesh renderer's, 0.69 of the
drivers' sharpness. With 0.45 they have 0.64, with 0.8 0.71, at 0.01 dB of PSNR."""
# Frames per batch. On a CPU single frames are rounded the same in any segment. For a GPU the size was not measured.
BATCH_FRAMES = {"cpu": 1, "cuda": 16}


def keypoints_of(points: Floats, model: FaceModel, side: int) -> NDArray[np.float32]:
    """Return the (136,) keypoints of (478, 3) points in pixels, in [-1, 1] between the edges of the picture."""
    sixty_eight = points[model.sixty_eight, :2]
    return np.asarray((sixty_eight + 0.5) * (2 / side) - 1, np.float32).ravel()


def to_planes(picture: Picture, like: Tensor) -> Tensor:
    """Convert an (S, S, 3) uint8 picture to (1, 3, S, S) in [-1, 1]."""
    planes = np.stack(cv2.split(picture))
    return torch.from_numpy(planes)[None].to(like).div_(127.5).sub_(1)


def to_pictures(frame: Frame) -> list[Picture]:
    """Convert a rendered batch to (S, S, 4) uint8 pictures with straight alpha."""
    levels = frame.picture.mul(127.5).add_(128), frame.mask.sigmoid().mul_(255).add_(0.5)
    planes = torch.cat(levels, 1).clamp_(0, 255).to(torch.uint8).cpu().numpy()
    # OpenCV interleaves channels ten times faster than torch.
    return [np.asarray(cv2.merge(tuple(channels)), np.uint8) for channels in planes]


def sharpened(texture: Tensor) -> Tensor:
    """Return a (B, 3, S, S) texture with SHARPENING times its finest detail added, against the blur of sampling."""
    line = texture.new_tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(texture.shape[1], 1, 3, 3)
    blurred = functional.conv2d(functional.pad(texture, (1, 1, 1, 1), "replicate"), kernel, groups=texture.shape[1])
    return torch.lerp(blurred, texture, 1 + SHARPENING)


@torch.inference_mode()
def embed(net: CompactBilayerNet, model: FaceModel, source: Source, prior: Prior) -> PreparedTensors:
    """Return everything that depends on the source alone: its texture, features and merged generator.

    Only the source's first picture is used, because the texture is a correction of that picture.
    """
    assert source.matte is not None
    like = net.generator.final.weight
    table = surface_table(model, prior.regions())
    own = conditioning_of(prior, table, prior.target_points(source.expression[None], source.pose)[0], source.pose)
    picture = to_planes(source.picture, like)
    matte = torch.from_numpy(source.matte.astype(np.float32))[None, None].to(like)
    side = net.config.side_pixels
    small = resized(picture, side)
    maps = resized(torch.from_numpy(own.maps)[None].to(like), side // 2)
    texture: Texture = net.embedder(small, resized(matte, side), maps)
    # Of a larger picture all detail is kept: only the change is enlarged.
    colour = picture + resized(texture.colour[:, :3] - small, picture.shape[-1])
    return {
        "colour": torch.cat([sharpened(colour), matte], 1),
        "features": texture.features,
        "identity": texture.identity,
        **merge(net.generator, texture.identity),
    }


class CompactBilayerRenderer:
    """Renders one source. Several renderers can share a network."""

    def __init__(
        self,
        net: CompactBilayerNet,
        model: FaceModel,
        source: Source,
        prior: Prior,
        prepared: PreparedTensors,
        *,
        threads: int = 1,
        compiled: bool = False,
    ) -> None:
        """Open the network for one source.

        Args:
            net: The network.
            model: The face model.
            source: The portrait.
            prior: A renderer of the same source.
            prepared: The result of `embed`.
            threads: Frames rendered in parallel, one per thread, at least 1; on a GPU always 1.
            compiled: Whether torch compiles the network first, on a GPU.
        """
        # Positions, sampling and composition stay float32: bfloat16 cannot distinguish neighbouring pixels.
        self.like = net.generator.final.weight
        device = self.like.device
        generator = with_tensors(net.generator, prepared, compute_dtype(device=device))
        frame_net = CompactBilayerNet(net.config, generator=generator).eval()
        self.net = as_compiled(frame_net, device) if compiled else frame_net
        self.texture = Texture(*(prepared[name].to(self.like) for name in Texture._fields))
        self.batches = Batches(BATCH_FRAMES[device.type], 1 if device.type == "cuda" else max(threads, 1))
        self.model, self.prior, self.side = model, prior, len(source.picture)
        self.table = surface_table(model, prior.regions())

    def frames(self, expression: Floats, pose: Similarity) -> Iterator[Picture]:
        """Yield (S, S, 4) uint8 frames with straight alpha for (T, 64) expressions in T poses, in pixels."""

        def render(begin: int, end: int) -> list[Picture]:
            return self._render([self._frame(expression, pose, row) for row in range(begin, end)])

        for pictures in self.batches.run(len(expression), render):
            yield from pictures

    def _frame(self, expression: Floats, pose: Similarity, row: int) -> tuple[Conditioning, NDArray[np.float32]]:
        one = pose.rows(slice(row, row + 1))
        points = self.prior.target_points(expression[row : row + 1], one)[0]
        return conditioning_of(self.prior, self.table, points, one), keypoints_of(points, self.model, self.side)

    @torch.inference_mode()
    def _render(self, frames: list[tuple[Conditioning, NDArray[np.float32]]]) -> list[Picture]:
        prior = torch.cat([to_planes(frame.picture, self.like) for frame, _ in frames])
        position, maps, keypoints = (
            torch.from_numpy(np.stack(parts)).to(self.like)
            for parts in (
                [frame.position for frame, _ in frames],
                [frame.maps for frame, _ in frames],
                [keypoints for _, keypoints in frames],
            )
        )
        texture = Texture(*(part.expand(len(frames), *part.shape[1:]) for part in self.texture))
        return to_pictures(self.net(texture, prior, position, maps, keypoints))


def load(path: Path) -> CompactBilayerNet:
    """Load the network onto the compute device, in float32; frames use `compute_dtype` (`CompactBilayerRenderer`)."""
    net = load_network(path, KIND, CompactBilayerNet, CompactBilayerConfig, precision="fp32")
    return net.to(compute_device())


def prepare(weights: Mapping[str, Path], source: Source, *, prior: Prior) -> PreparedTensors:
    """Implement `prepare` of the spec."""
    model, net = _loaded(weights)
    return embed(net, model, source, prior)


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: Prior, prepared: PreparedTensors | None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`. `prior` is a MeshRenderer of the same source."""
    model, net = _loaded(weights)
    tensors = prepared or embed(net, model, source, prior)
    renderer = CompactBilayerRenderer(net, model, source, prior, tensors, threads=thread_count(), compiled=compiled)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        rows = motion.rows(first, end)
        return renderer.frames(rows.expression, rows.pose(len(source.picture)))

    return render


def _loaded(weights: Mapping[str, Path]) -> tuple[FaceModel, CompactBilayerNet]:
    net = load_once(load, weights[NETWORK], threads=THREADS)
    return load_once(load_face_model, weights["face-model"]), net
