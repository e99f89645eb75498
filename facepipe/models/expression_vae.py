"""A small variational autoencoder over what a face does in one frame: expression and angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ExpressionVaeConfig:
    """Sizes of the network."""

    numbers: int = 67
    """64 of the expression, then pitch, yaw and roll."""
    width: int = 128
    latent: int = 24


class Encoded(NamedTuple):
    """The Gaussian of a row's latent."""

    mean: Tensor
    """(B, latent)"""
    log_variance: Tensor
    """(B, latent)"""


class ExpressionVae(nn.Module):
    """Encoder and decoder of three layers each; rows are standardised by whoever calls."""

    def __init__(self, config: ExpressionVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _layers(config.numbers, config.width, 2 * config.latent)
        self.decoder = _layers(config.latent, config.width, config.numbers)

    def encode(self, rows: Tensor) -> Encoded:
        """Return the latent's Gaussian for (B, numbers) rows."""
        mean, log_variance = self.encoder(rows).chunk(2, dim=1)
        return Encoded(mean, log_variance.clamp(-10, 4))

    def forward(self, rows: Tensor) -> tuple[Tensor, Encoded]:
        """Return rows decoded from a latent that is drawn, and that latent's Gaussian."""
        encoded = self.encode(rows)
        drawn = encoded.mean + torch.randn_like(encoded.mean) * (encoded.log_variance / 2).exp()
        return self.decoder(drawn), encoded


def _layers(first: int, width: int, last: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(first, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, last))
