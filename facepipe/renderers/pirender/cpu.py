"""The editing network on a CPU in full precision: Winograd convolutions, and fused kernels between them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeGuard

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facepipe.models import winograd
from facepipe.models.normalisation import EPSILON, AdaIN
from facepipe.models.winograd import Kernel, Moments
from facepipe.renderers.pirender import fused_kernels
from facepipe.renderers.pirender.config import SLOPE
from facepipe.renderers.pirender.editing import EditingNet
from facepipe.renderers.pirender.layers import ConvUnit

Floats = NDArray[np.floating]
Affine = tuple[Floats, Floats]
"""Scale and shift of each channel, (C,)."""
# Zero padding of the 3x3 convolutions, and of the final 7x7 convolution.
PADDING, FINAL_PADDING = 1, 3


class CpuEditing:
    """Runs the editing network on single frames. Buffers for features are reused from frame to frame."""

    def __init__(self, net: EditingNet, *, threads: int) -> None:
        self.net, self.threads = net, threads
        self.executor = ThreadPoolExecutor(threads, "editing") if threads > 1 else None
        self.kernels = {conv: _kernel(conv) for name, conv in net.named_modules() if _is_used(name, conv)}
        self.buffers: dict[tuple[Any, ...], Floats] = {}
        # All renderers of this network share the buffers.
        self.lock = Lock()

    def supports(self, first: Tensor) -> bool:
        """Return whether height and width are multiples of a Winograd tile at every level."""
        return not any(length % (winograd.TILE << self.net.encoder.layers) for length in first.shape[2:])

    def __call__(self, first: Tensor, modulation: dict[AdaIN, tuple[Tensor, Tensor]]) -> Tensor:
        """Take the output of the first convolution, (1, C, H, W), and one row of modulation; return (1, 3, H, W)."""
        with self.lock:
            x = self._decode(self._encode(first.permute(0, 2, 3, 1).contiguous().numpy()[0]), modulation)
            final = self.net.decoder.final.conv
            return torch.tanh(F.conv2d(torch.from_numpy(x)[None].permute(0, 3, 1, 2), final.weight, final.bias))

    def _encode(self, x: Floats) -> list[Floats]:
        """Return padded features, from full resolution to the coarsest."""
        encoder = self.net.encoder
        features = [self._buffer("feature", 0, *x.shape, padding=PADDING)]
        norm = _layer_norm(encoder.first, self._moments(x))
        self._apply(len(x), fused_kernels.activate, SLOPE, x, *norm, features[0], PADDING)
        for unit in encoder.units:
            raw, moments = self._convolve(unit.conv, features[-1])
            height, width, channels = raw.shape
            features.append(self._buffer("feature", len(features), height // 2, width // 2, channels, padding=PADDING))
            norm = _layer_norm(unit, moments)
            self._apply(height // 2, fused_kernels.activate_pooled, SLOPE, raw, *norm, features[-1], PADDING)
        return features

    def _decode(self, features: list[Floats], modulation: dict[AdaIN, tuple[Tensor, Tensor]]) -> Floats:
        """Return the padded input of the last convolution. Overwrites the coarsest of the given features."""
        x = features[-1]
        for step in self.net.decoder.steps:
            for block in step.residual.blocks:
                raw, moments = self._convolve(block.conv2, x)
                self._apply(len(raw), fused_kernels.add, raw, *_adain(*modulation[block.norm2], moments), x, PADDING)
            height, width, channels = x.shape[0] - 2 * PADDING, x.shape[1] - 2 * PADDING, x.shape[2]
            doubled = self._buffer("doubled", step.level, 2 * height, 2 * width, channels, padding=PADDING)
            self._apply(height, fused_kernels.double, x, doubled, PADDING)
            raised, raised_moments = self._convolve(step.up.conv, doubled)
            other, other_moments = self._convolve(step.jump.conv, features[step.level], "jump")
            padding = PADDING if step.level else FINAL_PADDING
            x = self._buffer("joined", step.level, *raised.shape, padding=padding)
            affine = (*_layer_norm(step.up, raised_moments), other, *_layer_norm(step.jump, other_moments))
            self._apply(len(raised), fused_kernels.join, SLOPE, raised, *affine, x, padding)
        return x

    def _convolve(self, conv: nn.Conv2d, padded: Floats, purpose: str = "raw") -> tuple[Floats, Moments]:
        kernel, height, width = self.kernels[conv], padded.shape[0] - 2, padded.shape[1] - 2
        out = self._buffer(purpose, 0, height, width, len(kernel.bias))
        rows, strips = winograd.strip_rows(width), winograd.strip_count(height, width)
        means, squares = np.empty((2, strips, len(kernel.bias)))
        matrices = winograd.INPUTS.astype(out.dtype), winograd.OUTPUTS.astype(out.dtype)

        def work(first: int, end: int) -> None:
            winograd.convolve_strips(padded, *kernel, out, means, squares, first, end, rows, *matrices)

        self._parallel(strips, work)
        tiles = np.minimum(rows, height // winograd.TILE - rows * np.arange(strips))
        return out, winograd.gathered(tiles * winograd.TILE * width, means, squares)

    def _moments(self, x: Floats) -> Moments:
        means, squares = np.empty((2, len(x), x.shape[2]))

        def work(first: int, end: int) -> None:
            for row in range(first, end):
                winograd.take_moments(x, row, row + 1, means[row], squares[row])

        self._parallel(len(x), work)
        return winograd.gathered(np.full(len(x), float(x.shape[1])), means, squares)

    def _apply(self, rows: int, kernel: Callable[..., None], *arguments: Any) -> None:
        """Run a fused kernel over rows."""
        self._parallel(rows, lambda first, end: kernel(*arguments, first, end))

    def _parallel(self, count: int, work: Callable[[int, int], None]) -> None:
        """Split `count` rows or strips among the threads."""
        if self.executor is None:
            work(0, count)
            return
        bounds = [count * part // self.threads for part in range(self.threads + 1)]
        for _ in self.executor.map(work, bounds[:-1], bounds[1:]):
            pass

    def _buffer(self, purpose: str, level: int, height: int, width: int, channels: int, *, padding: int = 0) -> Floats:
        """Return an output array, the same for each frame, with zeros in its padding."""
        key = (purpose, level, height, width, channels, padding)
        if key not in self.buffers:
            dtype = next(iter(self.kernels.values())).weight.dtype
            self.buffers[key] = np.zeros((height + 2 * padding, width + 2 * padding, channels), dtype)
        return self.buffers[key]


def _is_used(name: str, module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and not name.endswith(".conv1")


def _kernel(conv: nn.Conv2d) -> Kernel:
    assert conv.bias is not None
    return winograd.transformed(conv.weight.numpy(), conv.bias.numpy())


def _adain(scale: Tensor, shift: Tensor, moments: Moments) -> Affine:
    """Return instance norm with modulation, scale and shift of (1, C), as an affine map of each channel."""
    gain = scale[0].numpy() / np.sqrt(moments.variance + EPSILON)
    return _as(scale, gain), _as(scale, shift[0].numpy() - gain * moments.mean)


def _layer_norm(unit: ConvUnit, moments: Moments) -> Affine:
    """Return a unit's layer norm as an affine map of each channel."""
    norm = unit.norm
    middle = moments.mean.mean()
    variance = (moments.variance + (moments.mean - middle) ** 2).mean()
    gain = norm.weight.flatten().numpy() / np.sqrt(variance + EPSILON)
    return _as(norm.weight, gain), _as(norm.weight, norm.bias.flatten().numpy() - gain * middle)


def _as(like: Tensor, values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float64 if like.dtype == torch.float64 else np.float32)
