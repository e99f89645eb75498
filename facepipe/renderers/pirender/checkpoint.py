"""Weight files of PIRenderer networks, in the published form and in that of facepipe."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from facepipe.checkpoint import check_state, header_of, load_network
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.inference import without_spectral_norm
from facepipe.renderers.pirender.net import Pirender
from facepipe.weights.conversion import Converted, read_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

KIND = "pirender"
#: Key of the network in a published checkpoint, and in one of `facepipe train pirender`: the moving average of weights.
PARTS = ("net_G_ema", "mean")
# Tensors of the published residual blocks that are never used, and the counter of a moving average.
UNUSED = re.compile(r"\.res\d+\.res\d+\.(conv1|norm1)\.|^n_averaged$")


def read_official(path: Path) -> Converted:
    """Read a checkpoint, published or of `facepipe train pirender`.

    Spectral norms are folded into the weights, and unused tensors dropped. The config is inferred from the tensors'
    shapes. Raises WeightsError for any other file, with the tensors that are missing, unexpected or of another shape.
    """
    state = {name: tensor for name, tensor in read_checkpoint(path, *PARTS).items() if not UNUSED.search(name)}
    net = Pirender(config_of(state))
    check_state(state, net, path)
    net.load_state_dict(state, strict=True)
    tensors = {name: tensor.float() for name, tensor in without_spectral_norm(net.eval()).state_dict().items()}
    return Converted(tensors, header_of(KIND, dataclasses.replace(net.config, spectral_norm=False)))


def config_of(state: Mapping[str, Tensor]) -> PirenderConfig:
    """Return the config of the network with this state dict; fields that cannot be inferred are the paper's."""
    spectral_norm = any(name.endswith(".weight_orig") for name in state)
    suffix = "weight_orig" if spectral_norm else "weight"

    def shape(name: str, *, axis: int, otherwise: int) -> int:
        tensor = state.get(name)
        return tensor.shape[axis] if tensor is not None and tensor.dim() > axis else otherwise

    def count(pattern: str, otherwise: int) -> int:
        return len({found[0] for name in state if (found := re.search(pattern, name))}) or otherwise

    paper, editing = PirenderConfig(), "editing_net.encoder"
    ends = (f"conv_0.{suffix}", f"model.0.{suffix}")
    widths = [tensor.shape[0] for name, tensor in state.items() if name.endswith(ends)]
    return PirenderConfig(
        coefficients=shape("mapping_net.first.0.weight", axis=1, otherwise=paper.coefficients),
        latent=shape("mapping_net.first.0.weight", axis=0, otherwise=paper.latent),
        mapping_layers=count(r"^mapping_net\.encoder\d+", paper.mapping_layers),
        warping_encoder_layers=count(r"hourglass\.encoder\.encoder\d+", paper.warping_encoder_layers),
        warping_decoder_layers=count(r"hourglass\.decoder\.decoder\d+", paper.warping_decoder_layers),
        warping_width=shape("warpping_net.hourglass.encoder.input_layer.weight", axis=0, otherwise=paper.warping_width),
        editing_layers=count(r"^editing_net\.encoder\.down\d+", paper.editing_layers),
        editing_width=shape(f"{editing}.first.model.0.{suffix}", axis=0, otherwise=paper.editing_width),
        residual_blocks=count(r"\.res0\.res\d+", paper.residual_blocks),
        image_channels=shape("warpping_net.hourglass.encoder.input_layer.weight", axis=1, otherwise=3),
        widest=max(widths, default=paper.widest),
        spectral_norm=spectral_norm,
        unused_branch=False,
    )


def load_pirender(path: Path) -> Pirender:
    """Load the network from a converted file, in float32. Torch uses one thread from then on.

    Raises WeightsError for other files.
    """
    return load_network(path, KIND, Pirender, PirenderConfig, precision="fp32")
