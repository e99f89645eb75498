"""Renders a portrait from rows of motion with a PIRenderer network of any size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import THREADS
from facepipe.device import compute_device, thread_count
from facepipe.media.image import from_tensor, to_tensor
from facepipe.renderers.pirender.checkpoint import load_pirender
from facepipe.renderers.pirender.inference import FastPirender, SourceFeatures
from facepipe.renderers.pirender.net import Rendering
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled as as_compiled
from facepipe.rendering.source import Source
from facepipe.rendering.spec import NETWORK
from facepipe.spaces.bfm.descriptor import windows
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.spec import FrameRenderer, PreparedTensors
    from facepipe.spaces.bfm.coefficients import BfmCoefficients
    from facepipe.spaces.coefficients import Coefficients

# Frames per batch. On a CPU single frames are as fast as larger batches, need the least memory, and are rounded the
# same in any segment. For a GPU the size was not measured.
BATCH_FRAMES = {"cpu": 1, "cuda": 16}
# Maximum number of frames in parallel: each takes memory, and in full precision all threads edit one frame at a time.
MAX_PARALLEL_FRAMES = 8


class PirenderRenderer:
    """Renders one source. Several renderers can share a network."""

    def __init__(
        self,
        net: FastPirender,
        source: NDArray[np.uint8] | SourceFeatures,
        *,
        threads: int = 0,
        compiled: bool = False,
    ) -> None:
        """Open the network for one source.

        Args:
            net: The network.
            source: An (S, S, 3) RGB picture, S a multiple of 32 and at least 64, or its features.
            threads: On a CPU, frames rendered in parallel, each by one thread; 0 renders in the calling thread.
            compiled: Whether torch compiles the network first, on a GPU. It pays only for long clips.
        """
        self.net = net
        self.features = source if isinstance(source, SourceFeatures) else net.prepare(to_tensor(source)[None])
        on_cpu = net.device.type == "cpu"
        self.batches = Batches(BATCH_FRAMES[net.device.type], min(threads, MAX_PARALLEL_FRAMES) if on_cpu else 0)
        self.render = as_compiled(net.render, net.device) if compiled else net.render

    def frames(
        self,
        rows: NDArray[np.floating],
        first: int = 0,
        end: int | None = None,
        shot: NDArray[np.integer] | None = None,
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB frames for the rows `first` to `end` - 1 of a clip's (T, 73) rows.

        A frame's window extends 13 rows to either side, beyond `first` and `end` too, but not beyond its `shot` (T,).
        """
        for rendering in self.renderings(rows, first, end, shot):
            assert rendering.fake_image is not None
            yield from from_tensor(rendering.fake_image)

    def renderings(
        self,
        rows: NDArray[np.floating],
        first: int = 0,
        end: int | None = None,
        shot: NDArray[np.integer] | None = None,
    ) -> Iterator[Rendering]:
        """Yield the network's output for those frames, in batches."""
        motion = torch.from_numpy(windows(rows.astype(np.float32), first, end, shot))

        def render(begin: int, end: int) -> Rendering:
            return self.render(self.features, self.net.modulate(motion[begin:end]))

        yield from self.batches.run(len(motion), render)


def load_fast(path: Path) -> FastPirender:
    """Load the network onto the compute device."""
    return FastPirender(load_pirender(path).to(compute_device()), threads=thread_count())


def prepare(weights: Mapping[str, Path], source: Source, *, prior: None) -> PreparedTensors:
    """Implement `prepare` of the spec: compute the source's features, in the precision used on this machine."""
    del prior
    net = load_once(load_fast, weights[NETWORK], threads=THREADS)
    return net.prepare(to_tensor(source.picture)[None])._asdict()


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: None, prepared: PreparedTensors | None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`."""
    del prior
    net = load_once(load_fast, weights[NETWORK], threads=THREADS)
    features = net.restored(prepared) if prepared else source.picture
    renderer = PirenderRenderer(net, features, threads=thread_count(), compiled=compiled)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
        return renderer.frames(cast("BfmCoefficients", motion).descriptor_rows(), first, end, motion.shot)

    return render
