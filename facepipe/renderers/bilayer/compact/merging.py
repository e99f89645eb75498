"""The inference generator of one source, with its adaptive scales and shifts merged into the convolutions."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.compact.net import AdaptiveConv, Generator

PREFIX = "generator."


class MergedConv(nn.Conv2d):
    """A plain convolution in the place of an adaptive one."""

    def forward(self, x: Tensor, identity: Tensor) -> Tensor:  # type: ignore[override]
        """Take (B, C, H, W). `identity` is merged and not used."""
        del identity
        return super().forward(x)


def merged_generator(generator: Generator) -> Generator:
    """Return a copy with plain convolutions, whose weights are those of no source yet."""
    copied = copy.deepcopy(generator)
    for path, module in [*copied.named_modules()]:
        if isinstance(module, AdaptiveConv):
            conv = module.conv
            plain = MergedConv(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)  # type: ignore[arg-type]
            parent, _, name = path.rpartition(".")
            setattr(copied.get_submodule(parent), name, plain.to(conv.weight))
    return copied


@torch.no_grad()
def merge(generator: Generator, identity: Tensor) -> dict[str, Tensor]:
    """Return the tensors of `merged_generator(generator)` for one source, (1, I), named with PREFIX."""
    merged = merged_generator(generator)
    state = merged.state_dict()
    for path, module in generator.named_modules():
        if isinstance(module, AdaptiveConv):
            state[f"{path}.weight"], state[f"{path}.bias"] = module.merged(identity)
    return {PREFIX + name: tensor.clone() for name, tensor in state.items()}


def with_tensors(generator: Generator, tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> Generator:
    """Return the merged generator with the tensors of `merge`, and its convolutions in `dtype`.

    The keypoint embedder stays float32: on a CPU, a linear layer of one row is slower in bfloat16.
    """
    made = merged_generator(generator)
    like = next(generator.parameters())
    made.load_state_dict(
        {name.removeprefix(PREFIX): part.to(like) for name, part in tensors.items() if name.startswith(PREFIX)}
    )
    for part in made.modules():
        if isinstance(part, nn.Conv2d):
            part.to(dtype)
    return made.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
