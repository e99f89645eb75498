"""The texture enhancer: learned steps that make the texture reproduce the source pictures."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import ResidualBlock, convolution, leaky
from facepipe.renderers.bilayer.config import BilayerConfig, stages_between, widths
from facepipe.renderers.bilayer.embedder import masked
from facepipe.renderers.bilayer.inference import Layers, sampled


class Step(NamedTuple):
    """One step of the enhancer."""

    inputs: Tensor
    """(N, 6, S, S), texture and guidance of each source picture."""
    update: Tensor
    """(B, 3, S, S) in [-1, 1], what is added to the texture of each of B people."""


class TextureEnhancer(nn.Module):
    """Predicts updates of a texture from the gradient of its reconstruction error (supplementary; not in the paper)."""

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        spectral, self.steps = config.spectral_norm, config.enhancer_steps
        stages = stages_between(config.enhancer_side, config.side_pixels)
        sizes = widths(config.enhancer_width, config.enhancer_widest, stages)
        blocks: list[nn.Module] = [convolution(6, sizes[0], spectral=spectral)]
        for inputs, outputs in pairwise(sizes):
            blocks.append(ResidualBlock(inputs, outputs, kind="down", spectral=spectral))
        for _ in range(config.enhancer_blocks):
            blocks.append(ResidualBlock(sizes[-1], sizes[-1], kind="same", spectral=spectral))
        # Up to here every source picture has features of its own; then they are averaged.
        self.separate = len(blocks)
        for inputs, outputs in zip(sizes[::-1], sizes[-2::-1], strict=False):
            blocks.append(ResidualBlock(inputs, outputs, kind="up", spectral=spectral))
        blocks += [nn.Identity(), leaky(), convolution(sizes[0], 3, spectral=spectral)]
        self.net = nn.ModuleDict({"blocks": nn.ModuleList(blocks)})

    def update(self, inputs: Tensor, people: int = 1) -> Tensor:
        """Return (B, 3, S, S) updates for (B * N, 6, S, S) inputs, texture and guidance of N pictures of B people."""
        x = inputs
        for index, block in enumerate(cast("nn.ModuleList", self.net["blocks"])):
            x = block(x.reshape(people, -1, *x.shape[1:]).mean(1) if index == self.separate else x)
        return x.tanh()

    def trace(self, texture: Tensor, pictures: Tensor, layers: Layers) -> list[Step]:
        """Return the steps from (B, 3, S, S) textures. The other arguments are those of `forward`."""
        made, people = [], len(texture)
        for _ in range(self.steps):
            repeated = texture.repeat_interleave(len(pictures) // people, 0)
            # In training, the guidance is an input like any other: no gradient passes through it.
            with torch.no_grad():
                gradient = guidance(repeated, pictures, layers)
            inputs = torch.cat([repeated, gradient], 1)
            made.append(Step(inputs, self.update(inputs, people)))
            texture = texture + made[-1].update
        return made

    def forward(self, texture: Tensor, pictures: Tensor, layers: Layers) -> Tensor:
        """Return the enhanced (B, 3, S, S) textures of B people. They are not clamped.

        Args:
            texture: (B, 3, S, S), from the texture generator.
            pictures: (B * N, 3, S, S), N source pictures in [-1, 1] of each person.
            layers: What the inference generator computes for the keypoints of these pictures.
        """
        return texture + torch.stack([step.update for step in self.trace(texture, pictures, layers)]).sum(0)


def guidance(texture: Tensor, pictures: Tensor, layers: Layers) -> Tensor:
    """Return the gradient of half the squared error of reconstructed source pictures, (N, 3, S, S), for the texture.

    Pictures and reconstructions are compared without background, by the predicted mask. The gradient is exact, in
    closed form: the error goes back to the four pixels of the texture that each sample came from.

    Args:
        texture: (N or 1, 3, S, S)
        pictures: (N, 3, S, S) in [-1, 1].
        layers: Of N frames.
    """
    mask, places = layers.logits.sigmoid(), layers.places()
    made = masked(layers.low + sampled(texture, places), mask)
    return scattered(mask * (made - masked(pictures, mask)), places, texture.shape[-1])


def scattered(values: Tensor, places: Tensor, side: int) -> Tensor:
    """Add values to a texture of zeros at the places they were sampled from: the adjoint of `sampled`.

    Args:
        values: (N, C, H, W)
        places: (N, H, W, 2), x before y; 1 is the border of the texture. What lies outside is dropped.
        side: Side of the texture.

    Returns:
        (N, C, side, side)
    """
    count, channels = values.shape[:2]
    position = ((places + 1) * side - 1) / 2
    corner = position.floor()
    fraction, first = (position - corner).flatten(1, 2), corner.long().flatten(1, 2)
    flat, result = values.flatten(2), values.new_zeros(count * channels * side * side)
    planes = torch.arange(count * channels, device=values.device).reshape(count, channels, 1) * side * side
    for right in (0, 1):
        for down in (0, 1):
            x, y = first[..., 0] + right, first[..., 1] + down
            weight = (fraction[..., 0] if right else 1 - fraction[..., 0]) * (
                fraction[..., 1] if down else 1 - fraction[..., 1]
            )
            weight = weight * ((x >= 0) & (x < side) & (y >= 0) & (y < side))
            index = planes + (y.clamp(0, side - 1) * side + x.clamp(0, side - 1))[:, None]
            result.index_add_(0, index.flatten(), (flat * weight[:, None]).flatten())
    return result.reshape(count, channels, side, side)
