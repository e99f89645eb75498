"""The warping network: estimates the backward flow from the result to the source."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.models.normalisation import AdaIN, LayerNorm
from facepipe.renderers.pirender.config import SLOPE, PirenderConfig
from facepipe.renderers.pirender.layers import leaky, normed, part


class EncoderBlock(nn.Module):
    """Halves the resolution: AdaIN, leaky ReLU, convolution, twice."""

    def __init__(self, inputs: int, outputs: int, config: PirenderConfig) -> None:
        super().__init__()
        self.conv_0 = normed(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), config)
        self.conv_1 = normed(nn.Conv2d(outputs, outputs, 3, padding=1), config)
        self.norm_0 = AdaIN(width=inputs, latent=config.latent)
        self.norm_1 = AdaIN(width=outputs, latent=config.latent)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Take (B, inputs, H, W) and (B, latent); return (B, outputs, H/2, W/2)."""
        x = self.conv_0(leaky(self.norm_0(x, z)))
        return self.conv_1(leaky(self.norm_1(x, z)))  # type: ignore[no-any-return]


class DecoderBlock(nn.Module):
    """Doubles the resolution: the sum of two branches."""

    def __init__(self, inputs: int, outputs: int, config: PirenderConfig) -> None:
        super().__init__()
        self.conv_0 = normed(nn.Conv2d(inputs, outputs, 3, padding=1), config)
        self.conv_1 = normed(_doubling(outputs, outputs), config)
        self.conv_s = normed(_doubling(inputs, outputs), config)
        self.norm_0 = AdaIN(width=inputs, latent=config.latent)
        self.norm_1 = AdaIN(width=outputs, latent=config.latent)
        self.norm_s = AdaIN(width=inputs, latent=config.latent)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Take (B, inputs, H, W) and (B, latent); return (B, outputs, 2 H, 2 W)."""
        inner = self.conv_0(leaky(self.norm_0(x, z)))
        main = self.conv_1(leaky(self.norm_1(inner, z)))
        return main + self.conv_s(leaky(self.norm_s(x, z)))  # type: ignore[no-any-return]


def _doubling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


class HourglassEncoder(nn.Module):
    """Computes features of the source at every resolution, modulated by the motion."""

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
        """The blocks, from full resolution down."""
        return [part(self, f"encoder{level}", EncoderBlock) for level in range(self.layers)]


class HourglassDecoder(nn.Module):
    """Computes features at the flow's resolution from the coarsest ones and the skips."""

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
        """Take the encoder's features; those of each level are concatenated to the block's output."""
        x = features[-1]
        for level, block in self.blocks:
            x = torch.cat([block(x, z), features[level]], dim=1)
        return x

    @property
    def blocks(self) -> list[tuple[int, DecoderBlock]]:
        """(level, block) from the coarsest up; features of that level are concatenated to the block's output."""
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
        """Take (B, 3, H, W) in [-1, 1] and (B, latent); return the flow, (B, 2, h, w), x first, in its own pixels."""
        return self.flow_out(self.hourglass(source, z))  # type: ignore[no-any-return]


def deformation(flow_field: Tensor, height: int, width: int) -> Tensor:
    """Return the sampling grid in a source of H x W pixels for (B, 2, h, w) flow: (B, H, W, 2), x first, in [-1, 1].

    In the identity grid -1 and 1 are the centres of the corner pixels, but in interpolation and sampling they are the
    edges of the picture. The published weights were trained with this mismatch: zero flow zooms by w / (w - 1) about
    the centre.
    """
    _, _, h, w = flow_field.shape
    across = torch.linspace(-1, 1, w, dtype=flow_field.dtype, device=flow_field.device).expand(h, w)
    down = torch.linspace(-1, 1, h, dtype=flow_field.dtype, device=flow_field.device)[:, None].expand(h, w)
    x, y = flow_field.unbind(1)
    positions = torch.stack([across + x * (2 / (w - 1)), down + y * (2 / (h - 1))], dim=1)
    if (h, w) != (height, width):
        positions = F.interpolate(positions, size=(height, width), mode="bilinear", align_corners=False)
    return positions.permute(0, 2, 3, 1)


def warped(source: Tensor, flow_field: Tensor) -> Tensor:
    """Warp the source, (B, 3, H, W), by the flow field, (B, 2, h, w). Positions outside of the source give 0."""
    grid = deformation(flow_field, source.shape[2], source.shape[3])
    return F.grid_sample(source, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
