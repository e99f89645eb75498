"""The options of a published training run (`args.txt`), as config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from facepipe.errors import WeightsError
from facepipe.renderers.bilayer.config import KEYPOINTS, BilayerConfig

Options = Mapping[str, str | int | float | bool]
#: Options whose value is a size, by the field of the config.
FIELDS = {
    "side_pixels": "image_size",
    "embedder_width": "emb_num_channels",
    "embedder_widest": "emb_max_channels",
    "embedding_side": "emb_output_tensor_size",
    "texture_width": "tex_num_channels",
    "texture_widest": "tex_max_channels",
    "texture_input_side": "tex_input_tensor_size",
    "inference_width": "inf_num_channels",
    "inference_widest": "inf_max_channels",
    "inference_input_side": "inf_input_tensor_size",
    "pose_width": "pse_num_channels",
    "pose_layers": "pse_num_blocks",
    "enhancer_width": "enh_num_channels",
    "enhancer_widest": "enh_max_channels",
    "enhancer_side": "enh_bottleneck_tensor_size",
    "enhancer_blocks": "enh_num_blocks",
    "enhancer_steps": "enh_unrolling_depth",
    "discriminator_width": "dis_num_channels",
    "discriminator_widest": "dis_max_channels",
    "discriminator_side": "dis_output_tensor_size",
    "discriminator_blocks": "dis_num_blocks",
}
#: Options without which a file of options is not that of bi-layer networks.
REQUIRED = (
    "image_size",
    *(f"{network}_{kind}_channels" for network in ("emb", "tex", "inf") for kind in ("num", "max")),
)
#: Options that change the networks in a way that facepipe does not support, with the supported value.
SUPPORTED: Options = {
    "emb_norm_layer_type": "none",
    "emb_no_stickman": False,
    "emb_apply_masks": True,
    "tex_norm_layer_type": "ada_spade_bn",
    "tex_skip_layer_type": "ada_conv",
    "tex_pixelwise_bias_type": "none",
    "inf_norm_layer_type": "ada_bn",
    "inf_skip_layer_type": "ada_conv",
    "inf_pred_segmentation": True,
    "pse_norm_layer_type": "none",
    "enh_norm_layer_type": "none",
    "enh_guiding_rgb_loss_type": "sse",
    **{f"{network}_activation_type": "leakyrelu" for network in ("emb", "tex", "inf", "pse", "enh")},
    **{f"{network}_downsampling_type": "avgpool" for network in ("emb", "enh")},
    **{f"{network}_upsampling_type": "nearest" for network in ("tex", "inf", "enh")},
}


def parsed(text: str) -> dict[str, str | int | float | bool]:
    """Return the options in the text of an `args.txt`, one "key: value" per line. Other lines are ignored."""
    pairs = (line.partition(": ") for line in text.splitlines())
    return {key.strip(): _value(value.strip()) for key, colon, value in pairs if colon}


def _value(text: str) -> str | int | float | bool:
    if text in ("True", "False"):
        return text == "True"
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def config_of(options: Options, *, spectral_norm: bool = False) -> BilayerConfig:
    """Return the config that options describe; sizes that they lack are the published ones.

    Raises WeightsError if they are those of another system, of a variant that facepipe does not support, or do not
    fit together.
    """
    if lacking := [name for name in REQUIRED if name not in options]:
        raise WeightsError(f"has no {_joined(lacking)}, expected the options of bi-layer networks")
    for name, supported in SUPPORTED.items():
        if (found := options.get(name, supported)) != supported:
            raise WeightsError(f"has {name}: {found}, facepipe supports {supported} only")
    sizes: dict[str, Any] = {}
    for field, name in FIELDS.items():
        if type(value := options.get(name, 0)) is not int or (name in options and value <= 0):
            raise WeightsError(f"has {name}: {options[name]}, expected a positive whole number")
        if value:
            sizes[field] = value
    if (inputs := options.get("pse_in_channels", 2 * KEYPOINTS)) != 2 * KEYPOINTS:
        raise WeightsError(f"has pse_in_channels: {inputs}, expected {2 * KEYPOINTS}, for {KEYPOINTS} keypoints")
    harmonics = options.get("pse_num_harmonics", 4) if options.get("pse_use_harmonic_enc") else 0
    try:
        return BilayerConfig(**sizes, harmonics=int(harmonics), spectral_norm=spectral_norm)
    except ValueError as error:
        raise WeightsError(f"describes networks that do not fit together: {error}") from error


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
