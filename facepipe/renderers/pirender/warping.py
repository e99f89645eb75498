"""The warping network: where in the source each place of the result is to be taken from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.models.normalisation import AdaIN, LayerNorm
from facepipe.renderers.pirender.config import SLOPE, PirenderConfig
from facepipe.renderers.pirender.layers import leaky, normed, part


class EncoderBlock(nn.Module):
    """Half the resolution: AdaIN, leaky ReLU, convolution, twice."""

    def __init__(self, inputs: int, outputs: int, config: PirenderConfig) -> None:
        super().__init__()
        self.conv_0 = normed(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), config)
        self.conv_1 = normed(nn.Conv2d(outputs, outputs, 3, padding=1), config)
        self.norm_0 = AdaIN(width=inputs, vector=config.vector)
        self.norm_1 = AdaIN(width=outputs, vector=config.vector)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Take (B, inputs, H, W) and (B, vector), give (B, outputs, H/2, W/2)."""
        x = self.conv_0(leaky(self.norm_0(x, z)))
        return self.conv_1(leaky(self.norm_1(x, z)))  # type: ignore[no-any-return]


class DecoderBlock(nn.Module):
    """Double the resolution: two branches, added."""

    def __init__(self, inputs: int, outputs: int, config: PirenderConfig) -> None:
        super().__init__()
        self.conv_0 = normed(nn.Conv2d(inputs, outputs, 3, padding=1), config)
        self.conv_1 = normed(_doubling(outputs, outputs), config)
        self.conv_s = normed(_doubling(inputs, outputs), config)
        self.norm_0 = AdaIN(width=inputs, vector=config.vector)
        self.norm_1 = AdaIN(width=outputs, vector=config.vector)
        self.norm_s = AdaIN(width=inputs, vector=config.vector)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Take (B, inputs, H, W) and (B, vector), give (B, outputs, 2 H, 2 W)."""
        inner = self.conv_0(leaky(self.norm_0(x, z)))
        main = self.conv_1(leaky(self.norm_1(inner, z)))
        return main + self.conv_s(leaky(self.norm_s(x, z)))  # type: ignore[no-any-return]


def _doubling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


class HourglassEncoder(nn.Module):
    """From the source to its features at every resolution, the motion already in them."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.layers = config.warping_encoder_layers
        widths = [config.width(config.warping_width, level) for level in range(self.layers + 1)]
        self.input_layer = nn.Conv2d(config.image_channels, widths[0], 7, padding=3)
        for level in range(self.layers):
            self.add_module(f"encoder{level}", EncoderBlock(widths[level], widths[level + 1], config))

    def forward(self, source: Tensor, z: Tensor) -> list[Tensor]:
        """Return features from full resolution to the coarsest."""
        features: list[Tensor] = [self.input_layer(source)]
        for block in self.blocks:
            features.append(block(features[-1], z))
        return features

    @property
    def blocks(self) -> list[EncoderBlock]:
        """From full resolution down."""
        return [part(self, f"encoder{level}", EncoderBlock) for level in range(self.layers)]


class HourglassDecoder(nn.Module):
    """From the coarsest features up to those of the flow's resolution."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        layers = config.warping_encoder_layers
        self.levels = tuple(reversed(range(layers - config.warping_decoder_layers, layers)))
        inputs = config.width(config.warping_width, layers)
        for level in self.levels:
            width = config.width(config.warping_width, level)
            self.add_module(f"decoder{level}", DecoderBlock(inputs, width, config))
            inputs = 2 * width
        self.outputs = inputs

    def forward(self, features: list[Tensor], z: Tensor) -> Tensor:
        """Take what the encoder gives; each level's features are laid behind what comes from below."""
        x = features[-1]
        for level, block in self.blocks:
            x = torch.cat([block(x, z), features[level]], dim=1)
        return x

    @property
    def blocks(self) -> list[tuple[int, DecoderBlock]]:
        """With the level of the features that are laid behind what each gives, from the coarsest up."""
        return [(level, part(self, f"decoder{level}", DecoderBlock)) for level in self.levels]


class Hourglass(nn.Module):
    """Encoder and decoder with skips at every level."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.encoder = HourglassEncoder(config)
        self.decoder = HourglassDecoder(config)

    def forward(self, source: Tensor, z: Tensor) -> Tensor:
        """Return features at the flow's resolution."""
        return self.decoder(self.encoder(source, z), z)  # type: ignore[no-any-return]


class WarpingNet(nn.Module):
    """Estimates the flow field (paper, section 3.2)."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.hourglass = Hourglass(config)
        width = self.hourglass.decoder.outputs
        self.flow_out = nn.Sequential(LayerNorm(width), nn.LeakyReLU(SLOPE), nn.Conv2d(width, 2, 7, padding=3))

    def forward(self, source: Tensor, z: Tensor) -> Tensor:
        """Take (B, 3, H, W) in [-1, 1] and (B, vector); return the flow field, (B, 2, h, w), x first, in its pixels."""
        return self.flow_out(self.hourglass(source, z))  # type: ignore[no-any-return]


def deformation(flow_field: Tensor, height: int, width: int) -> Tensor:
    """Return where to sample a source of H x W for (B, 2, h, w) flow: (B, H, W, 2), x first, in [-1, 1].

    The identity grid has its corners' centres at -1 and 1, while enlarging and sampling take -1 and 1 for the picture's
    edges. The published weights are trained with that mismatch: zero flow zooms by w / (w - 1) about the middle.
    """
    _, _, h, w = flow_field.shape
    across = torch.linspace(-1, 1, w, dtype=flow_field.dtype, device=flow_field.device).expand(h, w)
    down = torch.linspace(-1, 1, h, dtype=flow_field.dtype, device=flow_field.device)[:, None].expand(h, w)
    x, y = flow_field.unbind(1)
    places = torch.stack([across + x * (2 / (w - 1)), down + y * (2 / (h - 1))], dim=1)
    if (h, w) != (height, width):
        places = F.interpolate(places, size=(height, width), mode="bilinear", align_corners=False)
    return places.permute(0, 2, 3, 1)


def warped(source: Tensor, flow_field: Tensor) -> Tensor:
    """Return the source (B, 3, H, W) as the flow field (B, 2, h, w) moves it; black where it comes from outside."""
    places = deformation(flow_field, source.shape[2], source.shape[3])
    return F.grid_sample(source, places, mode="bilinear", padding_mode="zeros", align_corners=False)
