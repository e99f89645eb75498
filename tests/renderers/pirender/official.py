"""Configs from the field names of the published configuration."""

from collections.abc import Mapping
from typing import Any

from facepipe.renderers.pirender.config import PirenderConfig


def config_of_sidecar(content: Mapping[str, Mapping[str, Any]]) -> PirenderConfig:
    """Return the config of a fixture."""
    mapping, warping, editing, common = (
        content[name] for name in ("mapping_net", "warpping_net", "editing_net", "common")
    )
    return PirenderConfig(
        coefficients=mapping["coeff_nc"],
        latent=mapping["descriptor_nc"],
        mapping_layers=mapping["layer"],
        warping_encoder_layers=warping["encoder_layer"],
        warping_decoder_layers=warping["decoder_layer"],
        warping_width=warping["base_nc"],
        editing_layers=editing["layer"],
        editing_width=editing["base_nc"],
        residual_blocks=editing["num_res_blocks"],
        image_channels=common["image_nc"],
        widest=common["max_nc"],
        spectral_norm=common["use_spect"],
    )
