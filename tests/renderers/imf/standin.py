"""A small network with random weights that offers what networks of the implicit motion function offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe import weights
from facepipe.checkpoint import header_of
from facepipe.renderers.imf import loading
from facepipe.renderers.imf.psi import Psi, psi_header, tensors_of
from facepipe.weights.saving import save_tensors

NAME, KIND = "small", "imf"


@dataclass(frozen=True)
class StandInConfig:
    """Sizes."""

    side_pixels: int = 64
    token_size: int = 32


class StandIn(nn.Module):
    """Shades the source by the token."""

    def __init__(self, config: StandInConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Conv2d(3, 8, 9, stride=8)
        self.head = nn.Linear(8, config.token_size)
        self.shade = nn.Linear(config.token_size, 3)

    @property
    def token_size(self) -> int:
        return self.config.token_size

    @property
    def side_pixels(self) -> int:
        return self.config.side_pixels

    def token(self, pictures: Tensor) -> Tensor:
        tokens: Tensor = self.head(self.encoder(pictures).relu().mean((2, 3)))
        return 20 * tokens

    def prepare(self, source: Tensor) -> dict[str, Tensor]:
        return {"picture": functional.avg_pool2d(source, 2), "token": self.token(source)}

    def render(self, prepared: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        shade = self.shade(tokens - prepared["token"]).tanh()[..., None, None]
        return functional.interpolate(prepared["picture"], scale_factor=2.0) * (1 - shade.abs()) + shade


def written(path: Path, *, psi: bool = True, seed: int = 0, config: StandInConfig | None = None) -> Path:
    """Write a network with random weights, and a random map from coefficients beside it."""
    torch.manual_seed(seed)
    net = StandIn(config or StandInConfig())
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    header = header_of(KIND, net.config)
    if psi:
        own = Psi()
        own.token_scale.fill_(50)
        tensors |= tensors_of(own)
        header |= psi_header(own)
    save_tensors(tensors, path, header)
    return path


def use_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of the kind hold stand-ins."""
    here = __name__
    monkeypatch.setitem(loading.NETWORKS, KIND, (f"{here}:StandIn", f"{here}:StandInConfig"))


def registered(folder: Path, *, name: str = NAME, psi: bool = True, seed: int = 0) -> Path:
    """Write a network and register it."""
    path = written(folder / f"{name}.safetensors", psi=psi, seed=seed)
    weights.add(path, name=name, licence="", source="random", space="imf_tokens")
    return path
