"""The latent token encoder, E_T: the motion of a picture as a token.

It is a discriminator of StyleGAN2 up to its last map, and linear layers. These have no activation by default, as in the
encoder of LIA (Wang et al., ICLR 2022), which this one follows where the paper is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from facepipe.models.stylegan2.discriminator import ResidualBlock, conv_layer
from facepipe.models.stylegan2.layers import EqualConv, EqualLinear
from facepipe.renderers.imf.config import FIRST_SIDE

LINEARS = 4
"""Linear layers before the one that makes the token."""


class TokenEncoder(nn.Module):
    """Maps pictures to tokens, of the source and of driving pictures alike."""

    def __init__(self, *, widths: Sequence[int], token_size: int, active: bool = False) -> None:
        """`widths` are the channels at full resolution and after each halving, down to 4 pixels."""
        super().__init__()
        last = widths[-1]
        self.stem = conv_layer(3, widths[0], 1)
        self.blocks = nn.Sequential(*(ResidualBlock(*pair) for pair in pairwise(widths)))
        self.conv = EqualConv(last, last, FIRST_SIDE)
        linears = [EqualLinear(last, last, active=active) for _ in range(LINEARS)]
        self.linears = nn.Sequential(*linears, EqualLinear(last, token_size))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return tokens (B, token_size), not bounded, of pictures (B, 3, S, S) in [-1, 1]."""
        tokens: Tensor = self.linears(self.conv(self.blocks(self.stem(pictures))).flatten(1))
        return tokens
