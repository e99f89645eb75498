"""Convolutions by oneDNN whose weights are laid out once, for inference on a CPU.

torch lays out the weights of a convolution for oneDNN in every call, which takes longer than the convolution itself
where features are small. These are the operators that torch's own compiler emits.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def supports(dtype: torch.dtype) -> bool:
    """Return whether oneDNN computes convolutions in a dtype on this machine."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call, unused-ignore]
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32


class PackedConv(nn.Module):
    """A convolution or transposed convolution, followed by a leaky ReLU if it has a slope. Results are channels last.

    A layout is made for each shape of the input and kept. Where oneDNN lacks the dtype, torch computes it.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, slope: float | None = None) -> None:
        super().__init__()
        self.conv = conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.transposed, self.slope = isinstance(conv, nn.ConvTranspose2d), slope
        self.layouts: dict[tuple[int, ...], Tensor] = {}
        # Activation, its numbers, and its variant.
        self.activation = ("none", [], "") if slope is None else ("leaky_relu", [slope], "")

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) in the dtype of the weights."""
        if not supports(x.dtype):
            made = cast("Tensor", self.conv(x))
            return made if self.slope is None else F.leaky_relu(made, self.slope)
        x, shape = x.contiguous(memory_format=torch.channels_last), tuple(x.shape)
        # Threads that come here at once make the same layout.
        if shape not in self.layouts:
            self.layouts[shape] = self._layout(shape)
        conv, ops = self.conv, torch.ops.mkldnn
        sizes = [list(size) for size in (conv.padding, conv.stride, conv.dilation)]
        arguments = (x, self.layouts[shape], conv.bias)
        if self.transposed:
            sizes.insert(1, list(conv.output_padding))
            made = ops._convolution_transpose_pointwise(*arguments, *sizes, conv.groups, *self.activation)
        else:
            made = ops._convolution_pointwise(*arguments, *sizes, conv.groups, *self.activation)
        return cast("Tensor", made)

    @torch.no_grad()
    def _layout(self, shape: tuple[int, ...]) -> Tensor:
        conv, ops = self.conv, torch.ops.mkldnn
        weight, sizes = conv.weight.detach(), [list(size) for size in (conv.padding, conv.stride, conv.dilation)]
        if self.transposed:
            sizes.insert(1, list(conv.output_padding))
            made = ops._reorder_convolution_transpose_weight(weight, *sizes, conv.groups, list(shape))
        else:
            made = ops._reorder_convolution_weight(weight, *sizes, conv.groups, list(shape))
        return cast("Tensor", made)
