"""E_T and IMF_D: the token of a frame, and the motion maps of a token."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from facepipe.models.blocks import fold_norms
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.imf.compact.config import CONSTANT_PIXELS, ImfCompactConfig
from facepipe.renderers.imf.compact.layers import StyledConv, doubled, reduced


class Motion(NamedTuple):
    """Motion maps of a batch of tokens."""

    keys: tuple[Tensor, ...]
    """(B, key, s, s) with s from 8 to S / 8: the side branches of IMF_D."""
    fine: Tensor
    """(B, C, S / 4, S / 4)"""


class TokenEncoder(nn.Module):
    """E_T: the token of one frame. Its convolutions are those of the landmarker, its last layer is linear."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        side = config.token_pixels
        sizes = LandmarkerConfig(
            side, config.encoder_widths, config.encoder_depths, config.encoder_expansion, config.encoder_head, 1
        )
        # Without batch norms: the landmarker's are folded, and its weights are taken over so.
        self.features = cast("nn.Module", fold_norms(Landmarker(sizes)).features)
        self.side = side
        self.linear = nn.Linear(
            config.encoder_head * (side // 2 ** (len(config.encoder_widths) + 1)) ** 2, config.token
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, S, S) pictures in [-1, 1] to (B, token) float32."""
        features = self.features_of(pictures)
        with torch.autocast(features.device.type, enabled=False):
            token: Tensor = self.linear(features.to(self.linear.weight.dtype))
        return token.float()

    def features_of(self, pictures: Tensor) -> Tensor:
        """Return (B, F) features of (B, 3, S, S) pictures."""
        features: Tensor = self.features(reduced(pictures, self.side))
        return features.flatten(1)


class MotionDecoder(nn.Module):
    """IMF_D: motion maps from a token, by styled convolutions from a learned constant."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        widths, token = config.motion_widths, config.token
        self.constant = nn.Parameter(torch.randn(1, widths[0], CONSTANT_PIXELS, CONSTANT_PIXELS))
        self.first = StyledConv(widths[0], widths[0], token)
        self.enter = nn.ModuleList(StyledConv(low, high, token) for low, high in pairwise(widths))
        self.trunk = nn.ModuleList(StyledConv(width, width, token) for width in widths[1:])
        self.sides = nn.ModuleList(StyledConv(width, config.key, token) for width in widths[1:-1])

    def forward(self, token: Tensor) -> Motion:
        """Map (B, token) to motion maps."""
        token = token.float()
        constant = self.constant.expand(len(token), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x, keys = self.first(constant, token), []
        for level, (enter, trunk) in enumerate(zip(self.enter, self.trunk, strict=True)):
            x = trunk(doubled(enter(x, token)), token)
            if level < len(self.sides):
                keys.append(self.sides[level](x, token))
        return Motion(tuple(keys), x)
