"""The network of one head as an ONNX graph: keypoints to warp, low frequencies and mask. The warp is done outside.

The nodes are Conv, LeakyRelu, Resize, Add and Tanh only, in opset 17, so that nearly every runtime runs the graph. The
keypoint embedder consists of 1x1 convolutions of a picture of one pixel, and norms are depthwise 1x1 convolutions.
Needs the package onnx.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from facepipe.renderers.bilayer.config import SLOPE, BilayerConfig
from facepipe.renderers.bilayer.keypoints import KeypointsEmbedder
from facepipe.renderers.bilayer.merging import LOW, MASK, WARP, Affine, MergedBlock, MergedGenerator

INPUT = "keypoints"
OUTPUTS = {"warp": WARP, "low": LOW, "mask": MASK}
"""Outputs, with their channels of the result of `MergedGenerator`."""
OPSET, IR_VERSION = 17, 8
# Nodes that a quantised graph computes in full precision, by the beginning of their name: they are small, and the
# keypoints need more than 256 values.
EXACT = ("embedder.", "output.")


class Graph:
    """Nodes and constants of a graph, in order."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype, self.nodes, self.constants = dtype, [], []  # type: ignore[var-annotated]

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output of the same name, and return it."""
        self.nodes.append(helper.make_node(kind, [*inputs], [name], name, **attributes))
        return name

    def conv(self, name: str, x: str, weight: Tensor, bias: Tensor, *, pad: int = 0, group: int = 1) -> str:
        """Add a convolution with weight (O, I / group, K, K) and bias (O,)."""
        parts = {"weight": weight, "bias": bias}
        constants = [
            self.constant(f"{name}.{part}", value.detach().cpu().numpy().astype(self.dtype))
            for part, value in parts.items()
        ]
        kernel = weight.shape[-1]
        return self.node("Conv", name, x, *constants, kernel_shape=[kernel] * 2, pads=[pad] * 4, group=group)

    def layer(self, name: str, x: str, conv: nn.Module) -> str:
        """Add a convolution that keeps height and width."""
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        return self.conv(name, x, conv.weight, conv.bias, pad=conv.kernel_size[0] // 2)

    def affine(self, name: str, x: str, norm: Affine) -> str:
        """Add a factor and an offset for each channel."""
        return self.conv(name, x, norm.scale.reshape(-1, 1, 1, 1), norm.shift.flatten(), group=norm.scale.numel())

    def leaky(self, x: str) -> str:
        """Add the activation."""
        return self.node("LeakyRelu", f"{x}.leaky", x, alpha=SLOPE)

    def doubled(self, x: str) -> str:
        """Add nearest upsampling by two."""
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", f"{x}.doubled", x, "", "doubling", **how)


def head_graph(
    embedder: KeypointsEmbedder, generator: MergedGenerator, config: BilayerConfig, dtype: str = "float32"
) -> onnx.ModelProto:
    """Return the graph of one head, with weights, input and outputs in `dtype` (float32 or float16).

    Its input is `keypoints`, (1, 136, 1, 1): x0, y0, x1, ... in [-1, 1] in the box of the head. For networks with
    harmonic encoding it is that encoding (`KeypointsEmbedder`), (1, 136 * 2 * harmonics, 1, 1). Its outputs are `warp`
    (1, 2, S, S) and `low` (1, 3, S, S) in [-1, 1], and `mask` (1, 1, S, S) in [0, 1]; see `Maps`.
    """
    graph = Graph(np.dtype(dtype))
    graph.constant("doubling", np.array([1, 1, 2, 2], np.float32))
    maps = _generate(graph, _embed(graph, embedder), generator)
    _split(graph, maps)
    kind, side = helper.np_dtype_to_tensor_dtype(graph.dtype), config.side_pixels
    inputs = [helper.make_tensor_value_info(INPUT, kind, [1, config.pose_inputs, 1, 1])]
    outputs = [
        helper.make_tensor_value_info(name, kind, [1, channels.stop - channels.start, side, side])
        for name, channels in OUTPUTS.items()
    ]
    made = helper.make_graph(graph.nodes, "head", inputs, outputs, graph.constants)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="facepipe"
    )
    onnx.checker.check_model(model)
    return model


def _embed(graph: Graph, embedder: KeypointsEmbedder) -> str:
    """Add the keypoint embedder. Its last layer makes C * N * N numbers of one pixel, without a reshape.

    That is a convolution with a kernel of N x N and a padding of N - 1: each pixel of its result sees the one pixel of
    the input under another value of the kernel.
    """
    layers = [layer for layer in cast("nn.Sequential", embedder.net["mlp"]) if isinstance(layer, nn.Linear)]
    x = INPUT
    for number, layer in enumerate(layers[:-1]):
        x = graph.leaky(graph.conv(f"embedder.{number}", x, layer.weight[:, :, None, None], layer.bias))
    last, (channels, side) = layers[-1], embedder.shape[:2]
    weight = last.weight.reshape(channels, side, side, -1).permute(0, 3, 1, 2).flip(2, 3)
    made = graph.conv("embedder.last", x, weight, torch.zeros(channels), pad=side - 1)
    # The bias differs from pixel to pixel.
    bias = last.bias.detach().reshape(1, channels, side, side).cpu().numpy().astype(graph.dtype)
    return graph.node("Add", "embedder.poses", made, graph.constant("embedder.bias", bias))


def _generate(graph: Graph, x: str, generator: MergedGenerator) -> str:
    for number, block in enumerate(generator.blocks):
        assert isinstance(block, MergedBlock)
        name = f"blocks.{number}"
        inner = graph.leaky(graph.affine(f"{name}.norm", x, block.norm))
        inner = graph.leaky(graph.layer(f"{name}.first", inner, block.first))
        result = graph.layer(f"{name}.second", graph.doubled(inner), block.second)
        x = graph.node("Add", name, result, graph.doubled(graph.layer(f"{name}.skip", x, block.skip)))
    features = graph.leaky(graph.affine("norm", x, generator.norm))
    return graph.node("Tanh", "maps", graph.layer("head", features, generator.head))


def _split(graph: Graph, maps: str) -> None:
    """Add the outputs: 1x1 convolutions that select channels, and map the mask from [-1, 1] to [0, 1]."""
    for name, channels in OUTPUTS.items():
        factor = 0.5 if name == "mask" else 1.0
        weight = factor * torch.eye(6)[channels][:, :, None, None]
        bias = torch.full((len(weight),), 0.5 if name == "mask" else 0.0)
        graph.conv(f"output.{name}", maps, weight, bias)
        graph.nodes[-1].output[0] = name
