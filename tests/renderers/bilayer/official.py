"""The stored networks and numbers of the published system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.blocks import without_spectral_norm
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.discriminator import Discriminator
from facepipe.renderers.bilayer.options import config_of
from facepipe.renderers.bilayer.published import Bilayer
from tests.fixtures import load_fixture

NAME = "bilayer_small"
# The sidecar's suggested tolerances: of what is computed, and of what was sampled from a texture of noise.
TOLERANCE, SAMPLED_TOLERANCE = 1e-4, 3e-3


@dataclass
class Stored:
    """A fixture with its networks."""

    config: BilayerConfig
    tensors: Mapping[str, Tensor]
    sidecar: Mapping[str, Any]

    def __getitem__(self, name: str) -> Tensor:
        value = self.tensors[name]
        return (value.float() / 255 - 0.5) * 2 if value.dtype == torch.uint8 else value.float()

    def frames(self, name: str) -> Tensor:
        """Return a tensor (1, frames, ...) without its first axis."""
        return self[name][0]

    def state(self, network: str) -> dict[str, Tensor]:
        start = f"state.{network}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    def networks(self) -> Bilayer:
        """Return the networks with spectral norm, in training mode."""
        net = Bilayer(self.config)
        for name, network in net.named_children():
            network.load_state_dict(self.state(name), strict=True)
        return net

    def discriminator(self) -> Discriminator:
        net = Discriminator(self.config)
        net.load_state_dict(self.state("discriminator"), strict=True)
        return net


def ready(net: nn.Module) -> nn.Module:
    """Return a network for use: spectral norms folded, eval mode."""
    return without_spectral_norm(net.eval().requires_grad_(False))


@cache
def _load() -> tuple[dict[str, Tensor], dict[str, Any]]:
    return load_fixture(NAME)


def stored() -> Stored:
    """Return the fixture; skip the test without it."""
    tensors, sidecar = _load()
    return Stored(config_of(sidecar["config"], spectral_norm=True), tensors, sidecar)


ACTIVATION_TOLERANCE = 2e-6
"""Of the largest value: float32 rounds in proportion, and the sidecar has no tolerance for what is between layers."""


def close_activations(made: Tensor, expected: Tensor) -> None:
    """Fail unless the outputs of a block, which may be large, have one shape and agree."""
    close(made, expected, max(TOLERANCE, ACTIVATION_TOLERANCE * float(expected.abs().max())))


def close(made: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    """Fail unless two tensors have one shape and differ by the tolerance at most."""
    assert made.shape == expected.shape
    assert (made - expected).abs().max() <= tolerance
