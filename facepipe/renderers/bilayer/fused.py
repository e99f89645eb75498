"""The merged generator in the form that a CPU computes fastest.

Its upsampling is part of transposed convolutions (`resampled`), and everything between two convolutions is one pass
over the features (`joining`).
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.models.packed import PackedConv
from facepipe.models.resampled import after_doubling
from facepipe.renderers.bilayer.config import SLOPE
from facepipe.renderers.bilayer.joining import joined
from facepipe.renderers.bilayer.merging import Affine, MergedBlock, MergedGenerator


class FusedBlock(nn.Module):
    """The convolutions of a `MergedBlock`, with its upsampling in a transposed one."""

    def __init__(self, block: MergedBlock) -> None:
        super().__init__()
        self.first, self.skip = PackedConv(block.first, SLOPE), PackedConv(block.skip)
        self.second = PackedConv(after_doubling(block.second))

    def forward(self, x: Tensor, activated: Tensor, norm: Affine) -> tuple[Tensor, Tensor]:
        """Map features (B, inputs, H, W), plain and activated, to (B, outputs, 2 H, 2 W), by the norm after them."""
        return joined(self.second(self.first(activated)), self.skip(x), norm.scale, norm.shift)


class FusedGenerator(nn.Module):
    """A merged generator for inference on a CPU: the same maps, faster."""

    def __init__(self, generator: MergedGenerator, dtype: torch.dtype | None = None) -> None:
        """Take the parameters of a generator, which are shared where they stay the same, and compute in `dtype`.

        Norms and the last convolution stay in the dtype of the generator: the warp needs more than eight bits.
        """
        super().__init__()
        blocks = [cast("MergedBlock", block) for block in generator.blocks]
        self.norms = nn.ModuleList([block.norm for block in blocks] + [generator.norm])
        self.blocks = nn.ModuleList(FusedBlock(block) for block in blocks).to(dtype)
        self.head = PackedConv(generator.head)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, poses: Tensor) -> Tensor:
        """Map poses as `MergedGenerator` does."""
        norms = [cast("Affine", norm) for norm in self.norms]
        dtype = cast("FusedBlock", self.blocks[0]).first.conv.weight.dtype
        x, activated = poses.to(dtype), F.leaky_relu(norms[0](poses), SLOPE).to(dtype)
        for block, norm in zip(self.blocks, norms[1:], strict=True):
            x, activated = block(x, activated, norm)
        return cast("Tensor", self.head(activated.to(poses.dtype))).tanh_()


def fastest(generator: MergedGenerator, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Return a generator on a device, for inference, in the form and memory format that are fastest there.

    The form for a CPU is faster where oneDNN computes transposed convolutions; elsewhere nothing was measured. `dtype`
    is that of its blocks.
    """
    on_cpu = device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call, unused-ignore]
    if on_cpu:
        return FusedGenerator(generator, dtype).eval().requires_grad_(False)
    made: nn.Module = generator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made.eval().requires_grad_(False)
