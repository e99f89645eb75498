"""Configs in the headers of weight files, with current and older names of fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from facepipe import weights
from facepipe.checkpoint import header_of, load_network
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet
from facepipe.renderers.compact.renderer import load_compact
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.net import Pirender

COMPACT = CompactConfig(side_pixels=64, latent=16, warp_widths=(8, 8, 8), edit_widths=(8, 8, 8), max_shade=0.3)
COMPACT_HEADER = (
    '{"side_pixels": 64, "motion_channels": 70, "descriptor": 16, "warp_widths": [8, 8, 8], "edit_widths": [8, 8, 8],'
    ' "edit_blocks": [0, 1, 2], "most_shift": 0.15, "most_detail": 0.05, "most_shade": 0.3}'
)
PIRENDER = PirenderConfig(latent=8, warping_width=4, editing_width=4, widest=12, unused_branch=False)
PIRENDER_HEADER = (
    '{"coefficients": 73, "vector": 8, "mapping_layers": 3, "warping_encoder_layers": 5, "warping_decoder_layers": 3,'
    ' "warping_width": 4, "editing_layers": 3, "editing_width": 4, "residual_blocks": 2, "image_channels": 3,'
    ' "widest": 12, "spectral_norm": false, "unused_branch": false}'
)


@pytest.mark.parametrize(
    ("network", "config", "old"),
    [(CompactNet, COMPACT, COMPACT_HEADER), (Pirender, PIRENDER, PIRENDER_HEADER)],
    ids=["compact", "pirender"],
)
def test_both_namings_build_the_same_network(network: type[nn.Module], config: Any, old: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = network(config)
    current = header_of("test", config)
    assert json.loads(current["config"]).keys() != json.loads(old).keys()
    threads, loaded = torch.get_num_threads(), []
    for name, header in (("current", current), ("old", {**current, "config": old})):
        save_file(net.state_dict(), tmp_path / name, header)
        loaded.append(load_network(tmp_path / name, "test", network, type(config), precision="fp32"))
    torch.set_num_threads(threads)
    assert loaded[0].config == loaded[1].config == config
    states = [one.state_dict() for one in loaded]
    assert states[0].keys() == states[1].keys() == net.state_dict().keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_the_shipped_network_has_the_older_names() -> None:
    path = weights.find("pirender-compact").path
    with safe_open(path, framework="pt") as file:
        assert "descriptor" in json.loads(file.metadata()["config"])
    threads = torch.get_num_threads()
    assert load_compact(path).config == CompactConfig()
    torch.set_num_threads(threads)
