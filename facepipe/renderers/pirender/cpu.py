"""The editing network for a CPU that computes in full precision: Winograd convolutions, and one pass between two."""

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
from facepipe.renderers.pirender import loops
from facepipe.renderers.pirender.editing import EditingNet
from facepipe.renderers.pirender.layers import ConvUnit

Floats = NDArray[np.floating]
Affine = tuple[Floats, Floats]
"""Scale and shift of every channel."""
# As many zeros around a picture as the convolution reads beyond its edge.
RIM, FINAL_RIM = 1, 3


class CpuEditing:
    """Edits one frame after the other. Keeps what it works on, so that no memory is asked for while it runs."""

    def __init__(self, net: EditingNet, *, threads: int) -> None:
        self.net, self.threads = net, threads
        self.crew = ThreadPoolExecutor(threads, "editing") if threads > 1 else None
        self.kernels = {conv: _kernel(conv) for name, conv in net.named_modules() if _is_used(name, conv)}
        self.kept: dict[tuple[Any, ...], Floats] = {}
        # What it works on is shared by all who render with this network.
        self.lock = Lock()

    def takes(self, first: Tensor) -> bool:
        """Tell whether tiles fill the pictures at every level."""
        return not any(length % (winograd.TILE << self.net.encoder.layers) for length in first.shape[2:])

    def __call__(self, first: Tensor, steering: dict[AdaIN, tuple[Tensor, Tensor]]) -> Tensor:
        """Take what the first convolution gives, (1, C, H, W), and one row of steering; return (1, 3, H, W)."""
        with self.lock:
            x = self._decoded(self._encoded(first.permute(0, 2, 3, 1).contiguous().numpy()[0]), steering)
            final = self.net.decoder.final.conv
            return torch.tanh(F.conv2d(torch.from_numpy(x)[None].permute(0, 3, 1, 2), final.weight, final.bias))

    def _encoded(self, x: Floats) -> list[Floats]:
        """Return features with rims, from full resolution to the coarsest."""
        encoder = self.net.encoder
        features = [self._room("feature", 0, *x.shape, rim=RIM)]
        self._over(len(x), loops.activate, x, *_layer_norm(encoder.first, self._moments(x)), features[0], RIM)
        for unit in encoder.units:
            raw, moments = self._convolved(unit.conv, features[-1])
            height, width, channels = raw.shape
            features.append(self._room("feature", len(features), height // 2, width // 2, channels, rim=RIM))
            self._over(height // 2, loops.activate_pooled, raw, *_layer_norm(unit, moments), features[-1], RIM)
        return features

    def _decoded(self, features: list[Floats], steering: dict[AdaIN, tuple[Tensor, Tensor]]) -> Floats:
        """Return the features that the last convolution reads; the coarsest of those given are overwritten."""
        x = features[-1]
        for step in self.net.decoder.steps:
            for block in step.residual.blocks:
                raw, moments = self._convolved(block.conv2, x)
                self._over(len(raw), loops.add, raw, *_adain(*steering[block.norm2], moments), x, RIM)
            height, width, channels = x.shape[0] - 2 * RIM, x.shape[1] - 2 * RIM, x.shape[2]
            doubled = self._room("doubled", step.level, 2 * height, 2 * width, channels, rim=RIM)
            self._over(height, loops.double, x, doubled, RIM)
            raised, raised_moments = self._convolved(step.up.conv, doubled)
            other, other_moments = self._convolved(step.jump.conv, features[step.level], "jump")
            rim = RIM if step.level else FINAL_RIM
            x = self._room("joined", step.level, *raised.shape, rim=rim)
            affine = (*_layer_norm(step.up, raised_moments), other, *_layer_norm(step.jump, other_moments))
            self._over(len(raised), loops.join, raised, *affine, x, rim)
        return x

    def _convolved(self, conv: nn.Conv2d, padded: Floats, purpose: str = "raw") -> tuple[Floats, Moments]:
        kernel, height, width = self.kernels[conv], padded.shape[0] - 2, padded.shape[1] - 2
        out = self._room(purpose, 0, height, width, len(kernel.bias))
        rows, strips = winograd.strip_rows(width), winograd.strip_count(height, width)
        means, squares = np.empty((2, strips, len(kernel.bias)))
        matrices = winograd.INPUTS.astype(out.dtype), winograd.OUTPUTS.astype(out.dtype)

        def work(first: int, end: int) -> None:
            winograd.convolve_strips(padded, *kernel, out, means, squares, first, end, rows, *matrices)

        self._shared(strips, work)
        tiles = np.minimum(rows, height // winograd.TILE - rows * np.arange(strips))
        return out, winograd.gathered(tiles * winograd.TILE * width, means, squares)

    def _moments(self, x: Floats) -> Moments:
        means, squares = np.empty((2, len(x), x.shape[2]))

        def work(first: int, end: int) -> None:
            for row in range(first, end):
                winograd.take_moments(x, row, row + 1, means[row], squares[row])

        self._shared(len(x), work)
        return winograd.gathered(np.full(len(x), float(x.shape[1])), means, squares)

    def _over(self, rows: int, loop: Callable[..., None], *arguments: Any) -> None:
        self._shared(rows, lambda first, end: loop(*arguments, first, end))

    def _shared(self, count: int, work: Callable[[int, int], None]) -> None:
        """Have every thread do its part of `count` rows or strips."""
        if self.crew is None:
            work(0, count)
            return
        bounds = [count * part // self.threads for part in range(self.threads + 1)]
        for _ in self.crew.map(work, bounds[:-1], bounds[1:]):
            pass

    def _room(self, purpose: str, level: int, height: int, width: int, channels: int, *, rim: int = 0) -> Floats:
        """Return an array to write to, the same each frame, its rim zero."""
        key = (purpose, level, height, width, channels, rim)
        if key not in self.kept:
            dtype = next(iter(self.kernels.values())).weight.dtype
            self.kept[key] = np.zeros((height + 2 * rim, width + 2 * rim, channels), dtype)
        return self.kept[key]


def _is_used(name: str, module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and not name.endswith(".conv1")


def _kernel(conv: nn.Conv2d) -> Kernel:
    assert conv.bias is not None
    return winograd.transformed(conv.weight.numpy(), conv.bias.numpy())


def _adain(scale: Tensor, shift: Tensor, moments: Moments) -> Affine:
    """Return what instance norm and steering, (1, C) each, do to every channel."""
    gain = scale[0].numpy() / np.sqrt(moments.variance + EPSILON)
    return _as(scale, gain), _as(scale, shift[0].numpy() - gain * moments.mean)


def _layer_norm(unit: ConvUnit, moments: Moments) -> Affine:
    """Return what a unit's layer norm does to every channel."""
    norm = unit.norm
    middle = moments.mean.mean()
    variance = (moments.variance + (moments.mean - middle) ** 2).mean()
    gain = norm.weight.flatten().numpy() / np.sqrt(variance + EPSILON)
    return _as(norm.weight, gain), _as(norm.weight, norm.bias.flatten().numpy() - gain * middle)


def _as(like: Tensor, values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float64 if like.dtype == torch.float64 else np.float32)
