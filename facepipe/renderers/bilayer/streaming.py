"""Renders a portrait with the published networks: initialised once, then a small generator per frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import torch

from facepipe.checkpoint import THREADS
from facepipe.device import compute_device, compute_dtype, thread_count
from facepipe.renderers.bilayer.banded import accelerated
from facepipe.renderers.bilayer.framing import Framing
from facepipe.renderers.bilayer.published import Bilayer, Frames, load_bilayer
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled as as_compiled
from facepipe.rendering.source import Picture, Source
from facepipe.rendering.spec import NETWORK
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.spec import FrameRenderer, PreparedTensors
    from facepipe.spaces.coefficients import Coefficients, Floats
    from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients

# Frames per batch. On a CPU single frames are rounded the same in any segment.
BATCH_FRAMES = {"cpu": 1, "cuda": 16}


class BilayerRenderer:
    """Renders one source. Several renderers can share the networks."""

    def __init__(
        self,
        net: Bilayer,
        framing: Framing,
        prepared: PreparedTensors,
        *,
        threads: int = 0,
        compiled: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Take the tensors of a source.

        Args:
            net: The networks, with spectral norms folded.
            framing: The source's box, with the side of the networks.
            prepared: The result of `initialised`.
            threads: On a CPU, frames rendered in parallel, each by one thread; 0 renders in the calling thread.
            compiled: Whether torch compiles the networks first, on a GPU.
            dtype: On a CPU, that of the generator: by default half precision where that is faster, else float32.
        """
        device = next(net.parameters()).device
        frames = Frames(net, prepared, dtype or compute_dtype())
        self.render = as_compiled(frames.render, device) if compiled else frames.render
        self.framing = framing
        self.batches = Batches(BATCH_FRAMES[device.type], threads if device.type == "cpu" else 0)

    def frames(self, keypoints: Floats) -> Iterator[Picture]:
        """Yield (S, S, 4) uint8 frames with straight alpha for (T, 68, 2) landmarks of the source's crop."""
        inputs = self.framing.keypoints(keypoints)

        def render(begin: int, end: int) -> list[Picture]:
            made = self.render(inputs[begin:end])
            return [self.framing.placed(rgb, mask) for rgb, mask in zip(made.rgb, made.mask, strict=True)]

        for pictures in self.batches.run(len(inputs), render):
            yield from pictures


def initialised(net: Bilayer, source: Source) -> PreparedTensors:
    """Return what all frames of a source share: its texture, enhanced if the networks can, and its generator.

    The embeddings of all its pictures are averaged, and the texture is enhanced on all.
    """
    device, side = next(net.parameters()).device, net.config.side_pixels
    framings = [Framing(one, side) for one in (source, *source.more)]
    rows = [(one.picture(), one.matte(), one.keypoints()) for one in framings]
    parts = [torch.cat(part).to(device) for part in zip(*rows, strict=True)]
    return net.initialise(*parts, enhance=net.config.has_enhancer)


def load(path: Path) -> Bilayer:
    """Load the networks onto the compute device, in the form that is fastest there."""
    net, device = load_bilayer(path), compute_device()
    return accelerated(net, thread_count()) if device.type == "cpu" else net.to(device)


def prepare(weights: Mapping[str, Path], source: Source, *, prior: Any) -> PreparedTensors:
    """Implement `prepare` of the spec."""
    del prior
    net = load_once(load, weights[NETWORK], threads=THREADS)
    return initialised(net, source)


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: Any, prepared: PreparedTensors | None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`."""
    del prior
    net = load_once(load, weights[NETWORK], threads=THREADS)
    framing = Framing(source, net.config.side_pixels)
    tensors = prepared or initialised(net, source)
    renderer = BilayerRenderer(net, framing, tensors, threads=thread_count(), compiled=compiled)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        return renderer.frames(cast("KeypointCoefficients", motion).keypoints[first:end])

    return render
