"""Small IMF networks with random weights, in files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from facepipe import weights
from facepipe.checkpoint import header_of
from facepipe.models.blocks import fold_norms
from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.net import ImfCompact
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.net import Imf
from facepipe.renderers.imf.psi import Psi, tensors_of
from facepipe.weights.saving import save_tensors

NAME = "small"
COMPACT = ImfCompactConfig(
    side_pixels=64,
    token_pixels=32,
    encoder_widths=(8, 8, 8, 16),
    encoder_depths=(1, 1, 1, 1),
    encoder_head=8,
    motion_widths=(16, 16, 8),
    key=16,
    feature_widths=(8, 8, 8),
    frame_widths=(8, 8, 8),
)
PUBLISHED = ImfConfig.of("tiny", token_size=32)


def written(path: Path, *, psi: bool = True, seed: int = 0, config: ImfCompactConfig | ImfConfig = COMPACT) -> Path:
    """Write a network with random weights, whose tokens differ well, and a random map from coefficients."""
    torch.manual_seed(seed)
    compact = isinstance(config, ImfCompactConfig)
    net: nn.Module = ImfCompact(config) if isinstance(config, ImfCompactConfig) else Imf(config)
    if isinstance(net, ImfCompact):
        nn.init.normal_(net.token_encoder.linear.weight, std=5.0)
        nn.init.normal_(net.shift.weight, std=0.3)
    tensors = {name: tensor.contiguous() for name, tensor in fold_norms(net).state_dict().items()}
    header = header_of("imf-compact" if compact else "imf", config)
    if psi:
        own = Psi()
        own.token_scale.fill_(50)
        tensors |= tensors_of(own)
    save_tensors(tensors, path, header)
    return path


def registered(folder: Path, *, name: str = NAME, psi: bool = True, seed: int = 0) -> Path:
    """Write a compact network and register it."""
    path = written(folder / f"{name}.safetensors", psi=psi, seed=seed)
    weights.add(path, name=name, licence="", source="random", space="imf_tokens")
    return path
