"""The latent token decoder, IMF_D: motion features at each level from a token.

It is the synthesis network of StyleGAN2 without noise, mapping network and colours; the token is the style.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from facepipe.models.stylegan2.layers import StyledConv
from facepipe.renderers.imf.config import FIRST_SIDE


class TokenDecoder(nn.Module):
    """A learned constant of 4x4 pixels, and two modulated convolutions per doubling; a third one ends each level."""

    def __init__(self, *, widths: Sequence[int], levels: int, token_size: int) -> None:
        """`widths` are the channels at 4, 8, ... pixels, up to the finest level; the last `levels` sides have one."""
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, widths[0], FIRST_SIDE, FIRST_SIDE))
        self.first = StyledConv(widths[0], widths[0], token_size)
        self.ups = nn.ModuleList(StyledConv(*pair, token_size, upsample=True) for pair in pairwise(widths))
        self.flats = nn.ModuleList(StyledConv(width, width, token_size) for width in widths[1:])
        self.ends = nn.ModuleList(StyledConv(width, width, token_size) for width in widths[-levels:])

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Return motion features (B, C, H, W) at each level, from fine to coarse, of tokens (B, token_size)."""
        trunk = [self.first(self.constant.expand(len(tokens), -1, -1, -1), tokens)]
        for up, flat in zip(self.ups, self.flats, strict=True):
            trunk.append(flat(up(trunk[-1], tokens), tokens))
        taken = trunk[-len(self.ends) :]
        return [cast("Tensor", end(x, tokens)) for end, x in zip(self.ends, taken, strict=True)][::-1]
