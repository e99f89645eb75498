"""The published bi-layer generator as ONNX graph, without the merge, for comparison of the speed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO

import onnx
import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import Predicted
from facepipe.renderers.bilayer.graph import INPUT, OPSET
from facepipe.renderers.bilayer.published import Bilayer


class _Unmerged(nn.Module):
    """The published generator, whose predicted parameters are inputs."""

    def __init__(self, net: Bilayer, counts: list[int]) -> None:
        super().__init__()
        self.embedder, self.generator, self.counts = net.keypoints_embedder, net.inference_generator, counts

    def forward(self, keypoints: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return warp, low frequencies and mask."""
        pairs = iter([Predicted(*pair) for pair in zip(parameters[::2], parameters[1::2], strict=True)])
        groups = [[next(pairs) for _ in range(count)] for count in self.counts]
        layers = self.generator.generate(self.embedder(keypoints), groups)
        return layers.delta, layers.low, layers.logits.sigmoid()


def unmerged_graph(
    net: Bilayer, embeddings: Sequence[Tensor], keypoints: Tensor
) -> tuple[onnx.ModelProto, dict[str, Tensor]]:
    """Return the graph that torch exports of the published generator, and its inputs, for comparison of the speed.

    The predicted parameters are inputs, so that one model serves all people.
    """
    groups = net.inference_generator.prj_inf(embeddings)
    values = [keypoints, *(value for group in groups for one in group for value in one)]
    names = [INPUT, *(f"parameter_{number}" for number in range(len(values) - 1))]
    module = _Unmerged(net, [len(group) for group in groups]).eval()
    buffer = BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that needs no other package is called old
        torch.onnx.export(module, tuple(values), buffer, input_names=names, opset_version=OPSET, dynamo=False)  # type: ignore[arg-type, unused-ignore]
    return onnx.load_from_string(buffer.getvalue()), dict(zip(names, values, strict=True))
