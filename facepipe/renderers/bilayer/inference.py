"""The inference generator: warp, low frequencies and mask of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import AdaptiveBatchNorm
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.generator import Generator
from facepipe.renderers.bilayer.projector import Groups, Projector, repeated


class Layers(NamedTuple):
    """What the inference generator computes for F frames."""

    delta: Tensor
    """(F, 2, S, S) in [-1, 1], shift of the place in the texture, x before y; 2 is the side of the texture."""
    low: Tensor
    """(F, 3, S, S) in [-1, 1], the low-frequency layer."""
    logits: Tensor
    """(F, 1, S, S), logits of the mask of the head."""

    def places(self) -> Tensor:
        """Return the (F, S, S, 2) places in the texture."""
        return identity_grid(self.delta.shape[-1]).to(self.delta) + self.delta.permute(0, 2, 3, 1)

    def compose(self, texture: Tensor) -> Tensor:
        """Return the (F, 3, S, S) pictures in about [-1, 1], not clamped, with textures (F or 1, 3, S, S)."""
        return self.low + sampled(texture, self.places())


class InferenceGenerator(nn.Module):
    """Turns the embedding of a pose into `Layers`, by parameters that are predicted once per person."""

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        self.register_buffer("identity_grid", identity_grid(config.side_pixels))
        self.gen_inf = Generator(
            width=config.inference_width,
            widest=config.inference_widest,
            input_side=config.inference_input_side,
            stages=config.inference_stages,
            heads=(2, 3, 1),
            spade=False,
            spectral=config.spectral_norm,
        )
        self.prj_inf = Projector(config, ratio=config.ratio, per_norm=AdaptiveBatchNorm.PREDICTED)

    def forward(self, poses: Tensor, embeddings: Sequence[Tensor]) -> Layers:
        """Compute B * F frames from poses (B * F, C, 4, 4) and the embeddings of B people."""
        groups = self.prj_inf(embeddings)
        return self.generate(poses, repeated(groups, len(poses) // len(embeddings[0])))

    def generate(self, poses: Tensor, groups: Groups) -> Layers:
        """Compute frames from poses and projected embeddings (of as many people as frames, or of one)."""
        delta, low, logits = self.gen_inf(poses, groups)
        return Layers(delta.tanh(), low.tanh(), cast("Tensor", logits))


def identity_grid(side: int) -> Tensor:
    """Return the (1, side, side, 2) centres of pixels, x before y, in [-1, 1] from border to border."""
    centres = (2 * torch.arange(side, dtype=torch.float32) + 1) / side - 1
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)[None]


def sampled(texture: Tensor, places: Tensor) -> Tensor:
    """Sample a (F or 1, 3, S, S) texture at (F, H, W, 2) places, with zero outside it."""
    return F.grid_sample(
        texture.expand(len(places), -1, -1, -1), places, mode="bilinear", padding_mode="zeros", align_corners=False
    )
