"""The published networks of the implicit motion function, joined."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facepipe.renderers.imf.alignment import Aligned, Alignment
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.dense_encoder import DenseEncoder
from facepipe.renderers.imf.frame_decoder import FrameDecoder
from facepipe.renderers.imf.token_decoder import TokenDecoder
from facepipe.renderers.imf.token_encoder import TokenEncoder

TOKEN, KEYS, VALUES = "token", "keys{}", "values{}"
"""Names of prepared tensors: the source's token, and its keys and values at each level, counted from 1."""


class Imf(nn.Module):
    """Encoders, token decoder, alignment and frame decoder. An `ImfNetwork`."""

    def __init__(self, config: ImfConfig) -> None:
        super().__init__()
        self.config = config
        self.dense_encoder = DenseEncoder(config)
        self.token_encoder = TokenEncoder(
            widths=config.token_widths, token_size=config.token_size, active=config.active_token_layers
        )
        self.token_decoder = TokenDecoder(
            widths=config.trunk_widths, levels=len(config.level_sides), token_size=config.token_size
        )
        self.alignment = Alignment(config)
        self.frame_decoder = FrameDecoder(config)

    @property
    def token_size(self) -> int:
        """Numbers per token."""
        return self.config.token_size

    @property
    def side_pixels(self) -> int:
        """Width and height of the pictures."""
        return self.config.side_pixels

    def forward(self, sources: Tensor, driving: Tensor) -> Tensor:
        """Return sources (B, 3, S, S) in the motion of as many driving pictures, all in [-1, 1]."""
        return self.drawn(self.sources(sources, self.token_encoder(sources)), self.token_encoder(driving))

    def sources(self, pictures: Tensor, tokens: Tensor) -> list[Aligned]:
        """Return keys and values at each level of pictures (B, 3, S, S) and their tokens."""
        return self.alignment.source(self.dense_encoder(pictures), self.token_decoder(tokens))

    def drawn(self, sources: list[Aligned], tokens: Tensor) -> Tensor:
        """Return pictures (B, 3, S, S) in [-1, 1] of B sources in the motion of B tokens."""
        pictures: Tensor = self.frame_decoder(self.alignment(self.token_decoder(tokens), sources))
        return pictures

    @torch.inference_mode()
    def token(self, pictures: Tensor) -> Tensor:
        """Implement `ImfNetwork.token`."""
        tokens: Tensor = self.token_encoder(pictures)
        return tokens

    @torch.inference_mode()
    def prepare(self, source: Tensor) -> dict[str, Tensor]:
        """Implement `ImfNetwork.prepare`: the token, and keys and values (1, N, C) at each level."""
        token = self.token_encoder(source)
        return {TOKEN: token, **named(self.sources(source, token))}

    @torch.inference_mode()
    def render(self, prepared: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Implement `ImfNetwork.render`."""
        sources = restored(prepared, len(self.config.level_sides))
        return self.drawn([Aligned(*(x.expand(len(tokens), -1, -1) for x in one)) for one in sources], tokens)


def named(sources: list[Aligned]) -> dict[str, Tensor]:
    """Return keys and values by their names among prepared tensors."""
    pairs = enumerate(sources, 1)
    return {
        name.format(number): x.contiguous()
        for number, one in pairs
        for name, x in zip((KEYS, VALUES), one, strict=True)
    }


def restored(prepared: Mapping[str, Tensor], levels: int) -> list[Aligned]:
    """Return the keys and values among prepared tensors."""
    numbers = range(1, levels + 1)
    return [Aligned(prepared[KEYS.format(number)], prepared[VALUES.format(number)]) for number in numbers]
