"""A small variational autoencoder of the expression and the head angles in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ExpressionVaeConfig:
    """Sizes of the network."""

    numbers: int = 67
    """64 expression coefficients, then pitch, yaw and roll."""
    width: int = 128
    latent: int = 24


class Encoded(NamedTuple):
    """The Gaussian posterior of the latents of a batch."""

    mean: Tensor
    """(B, latent)"""
    log_variance: Tensor
    """(B, latent)"""


class ExpressionVae(nn.Module):
    """Encoder and decoder of three layers each. The caller standardises the rows."""

    def __init__(self, config: ExpressionVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _layers(config.numbers, config.width, 2 * config.latent)
        self.decoder = _layers(config.latent, config.width, config.numbers)

    def encode(self, rows: Tensor) -> Encoded:
        """Return the posterior for (B, numbers) standardised rows."""
        mean, log_variance = self.encoder(rows).chunk(2, dim=1)
        return Encoded(mean, log_variance.clamp(-10, 4))

    def forward(self, rows: Tensor) -> tuple[Tensor, Encoded]:
        """Return the rows decoded from a sampled latent, and the posterior it was sampled from."""
        encoded = self.encode(rows)
        latent = encoded.mean + torch.randn_like(encoded.mean) * (encoded.log_variance / 2).exp()
        return self.decoder(latent), encoded


def _layers(first: int, width: int, last: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(first, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, last))
