"""The texture generator: embeddings to the texture of a head."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import cast

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import AdaptiveSpade
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.generator import Generator
from facepipe.renderers.bilayer.projector import Groups, Projector


class TextureGenerator(nn.Module):
    """Turns a learned tensor into a texture; all that is specific to a person comes from the embeddings."""

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        side = config.texture_input_side
        self.gen_tex_input = nn.Parameter(torch.randn(1, config.texture_widest, side, side))
        self.gen_tex = Generator(
            width=config.texture_width,
            widest=config.texture_widest,
            input_side=side,
            stages=config.texture_stages,
            heads=(3,),
            spade=True,
            spectral=config.spectral_norm,
        )
        self.prj_tex = Projector(config, ratio=Fraction(1), per_norm=AdaptiveSpade.PREDICTED)

    def forward(self, embeddings: Sequence[Tensor]) -> Tensor:
        """Return the (B, 3, S, S) texture in [-1, 1]."""
        return self.paint(self.prj_tex(embeddings))

    def paint(self, groups: Groups) -> Tensor:
        """Return the texture of projected embeddings."""
        batch = len(groups[0][0].bias)
        (texture,) = self.gen_tex(self.gen_tex_input.expand(batch, -1, -1, -1), groups)
        return cast("Tensor", texture).tanh()
