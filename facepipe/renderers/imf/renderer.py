"""Renders a portrait from tokens with an IMF network of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from facepipe.checkpoint import THREADS
from facepipe.device import compute_device, thread_count
from facepipe.errors import InputError, WeightsError
from facepipe.media.image import from_tensor, to_tensor
from facepipe.models.resampling import resized
from facepipe.renderers.imf.loading import identity_of, load_any
from facepipe.renderers.imf.psi import load_psi
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled as as_compiled
from facepipe.rendering.spec import NETWORK
from facepipe.spaces.imf_tokens.coefficients import TokenCoefficients
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.renderers.imf.loading import Loaded
    from facepipe.rendering.source import Picture, Source
    from facepipe.rendering.spec import FrameRenderer, PreparedTensors
    from facepipe.spaces.coefficients import Coefficients

# Frames per batch. On a CPU single frames are rounded the same in any segment. For a GPU the size was not measured.
BATCH_FRAMES = {"cpu": 1, "cuda": 16}


class ImfRenderer:
    """Renders one source. Several renderers can share a network."""

    def __init__(
        self,
        network: Loaded,
        prepared: Mapping[str, Tensor],
        side: int,
        *,
        threads: int = 1,
        compiled: bool = False,
    ) -> None:
        """Open the network for one source.

        Args:
            network: The network.
            prepared: The result of its `prepare` for the source.
            side: Width and height of frames in pixels. If they are not those of the network, frames are resized.
            threads: Frames rendered in parallel on a CPU, one per thread, at least 1.
            compiled: Whether torch compiles the network first, on a GPU.
        """
        device = compute_device()
        self.side, self.device, self.dtype = side, device, network.dtype
        self.prepared = {name: tensor.to(device) for name, tensor in prepared.items()}
        self.draw = as_compiled(network.net.render, device) if compiled else network.net.render
        self.batches = Batches(BATCH_FRAMES[device.type], 1 if device.type == "cuda" else max(threads, 1))

    def frames(self, tokens: Tensor) -> Iterator[Picture]:
        """Yield (S, S, 3) uint8 RGB frames for (T, 32) tokens."""

        def render(begin: int, end: int) -> list[Picture]:
            return self._render(tokens[begin:end])

        for pictures in self.batches.run(len(tokens), render):
            yield from pictures

    @torch.inference_mode()
    def _render(self, tokens: Tensor) -> list[Picture]:
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            pictures = self.draw(self.prepared, tokens.to(self.device))
        return list(from_tensor(resized(pictures.float(), self.side).cpu()))


@torch.inference_mode()
def tokens_of(motion: TokenCoefficients, network: Path) -> Tensor:
    """Return the tokens (T, 32) of a motion, edited by the network's map from coefficients.

    Raises InputError for tokens of another network, and WeightsError if there are edits but the network has no map.
    """
    if motion.network != (own := load_once(identity_of, network)):
        raise InputError(
            f"the motion's tokens are of the network {motion.network[:12]}, but this job renders with {own[:12]}; make "
            "the motion file again with this network, or choose the other one by --weights"
        )
    tokens, edits = (torch.from_numpy(rows.copy()).float() for rows in (motion.tokens, motion.edits))
    edited = edits.any(1).nonzero()[:, 0].tolist()
    psi = load_once(load_psi, network, threads=THREADS)
    if edited and psi is None:
        raise WeightsError(
            f"{network} has no map from coefficients to tokens, which this motion needs; add one with `facepipe train "
            "psi`."
        )
    for row in edited:
        assert psi is not None
        # One at a time: the rounding of a product depends on its number of rows.
        tokens[row : row + 1] = psi(tokens[row : row + 1], edits[row : row + 1])
    return tokens


@torch.inference_mode()
def prepare(weights: Mapping[str, Path], source: Source, *, prior: None) -> PreparedTensors:
    """Implement `prepare` of the spec: compute what the network needs of the source's picture alone."""
    del prior
    net = load_once(load_any, weights[NETWORK], threads=THREADS).net
    # In float32, so that it serves machines of any precision.
    return net.prepare(resized(to_tensor(source.picture)[None], net.side_pixels).to(compute_device()))


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: None, prepared: PreparedTensors | None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`."""
    network = weights[NETWORK]
    tensors = prepared or prepare(weights, source, prior=prior)
    loaded = load_once(load_any, network, threads=THREADS)
    renderer = ImfRenderer(loaded, tensors, len(source.picture), threads=thread_count(), compiled=compiled)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        return renderer.frames(tokens_of(cast("TokenCoefficients", motion.rows(first, end)), network))

    return render
