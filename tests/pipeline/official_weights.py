"""Networks of the published forms with random weights, registered as a user registers the real ones."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.numpy import save_file

from facepipe import weights
from facepipe.checkpoint import save_network
from facepipe.face.bfm.matlab import converted
from facepipe.models.deep3d import CoefficientNetwork, Deep3dConfig
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.net import Pirender
from tests.face.bfm.invented import invented_model
from tests.pipeline.scene import run


def add_deep3d(folder: Path) -> None:
    """Register a coefficient network that says something else of every face."""
    torch.manual_seed(0)
    net = CoefficientNetwork(Deep3dConfig(width=8, depths=(1, 1, 1, 1)))
    for layer in net.final_layers:
        torch.nn.init.normal_(layer.weight, 0, 100)  # type: ignore[arg-type]
    save_network(net, folder / "deep3d.safetensors", kind="deep3d")
    weights.add(folder / "deep3d.safetensors", name="deep3d", licence="", source="invented", space="bfm")


def add_bfm(folder: Path) -> None:
    """Register a face model."""
    save_file(converted(invented_model()), folder / "bfm.safetensors", {"kind": "bfm"})
    weights.add(folder / "bfm.safetensors", name="bfm", licence="", source="invented", space="bfm")


SMALL = PirenderConfig(latent=16, warping_width=4, editing_width=4, widest=16)


def add_pirender(folder: Path, config: PirenderConfig = SMALL) -> Pirender:
    """Register a renderer through the command line, and return it as it was given."""
    torch.manual_seed(0)
    net = Pirender(config).eval()
    path = folder / "epoch_00190_iteration_000400000_checkpoint.pt"
    torch.save({"net_G_ema": net.state_dict(), "current_epoch": 190}, path)
    outcome = run("weights", "add", "pirender", path)
    assert outcome.exit_code == 0, outcome.stderr
    return net
