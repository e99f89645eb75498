"""The token encoder and decoder in the form that a CPU computes fastest: the same results up to rounding.

Scales of equalised weights and gains of activations are part of the weights, and maps are channels last.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.packed import PackedConv
from facepipe.models.stylegan2.discriminator import ResidualBlock
from facepipe.models.stylegan2.layers import EPSILON, GAIN, Bias, Blur, EqualConv, EqualLinear, StyledConv
from facepipe.renderers.imf.config import SLOPE
from facepipe.renderers.imf.token_decoder import TokenDecoder
from facepipe.renderers.imf.token_encoder import TokenEncoder


class FusedHalving(nn.Module):
    """A `ResidualBlock` of StyleGAN2. Its shortcut filters only the pixels that it keeps."""

    def __init__(self, block: ResidualBlock, dtype: torch.dtype) -> None:
        super().__init__()
        self.first = convolution(block.conv1, dtype, gain=GAIN, slope=SLOPE)
        width = cast("EqualConv", block.conv2[1]).weight.shape[1]
        self.filter = filtering(cast("Blur", block.conv2[0]), width, dtype)
        # The gain of the activation and the scale of the sum cancel.
        self.second = convolution(block.conv2, dtype, gain=1.0, slope=SLOPE)
        self.thin = filtering(cast("Blur", block.skip[0]), width, dtype, stride=2)
        self.skip = convolution(block.skip, dtype, gain=1 / math.sqrt(2), slope=None, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        made: Tensor = self.second(self.filter(self.first(x)))
        return made.add_(self.skip(self.thin(x)))


class FusedTokenEncoder(nn.Module):
    """A `TokenEncoder`. Its last convolution and the linear layers are one product if these have no activation."""

    def __init__(self, encoder: TokenEncoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.stem = convolution(encoder.stem, dtype, gain=GAIN, slope=SLOPE)
        self.blocks = nn.Sequential(*(FusedHalving(cast("ResidualBlock", one), dtype) for one in encoder.blocks))
        layers = [cast("EqualLinear", layer) for layer in encoder.linears]
        weight, bias = encoder.conv.weight.detach().double().flatten(1) * encoder.conv.scale, None
        self.rest = nn.Sequential(*layers) if layers[0].active else nn.Identity()
        for layer in [] if layers[0].active else layers:
            factor = layer.weight.detach().double() * layer.scale
            offset = layer.bias.detach().double() * layer.rate
            weight, bias = factor @ weight, offset if bias is None else factor @ bias + offset
        self.weight = nn.Parameter(weight.float())
        self.bias = None if bias is None else nn.Parameter(bias.float())

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures as `TokenEncoder` does."""
        maps = self.blocks(self.stem(pictures.to(self.dtype)))
        tokens: Tensor = self.rest(functional.linear(maps.float().flatten(1), self.weight, self.bias))
        return tokens


class FusedStyled(nn.Module):
    """A `StyledConv` without its modulation, which `FusedTokenDecoder` computes for all of them at once."""

    squares: Tensor
    bias: Tensor

    def __init__(self, styled: StyledConv, dtype: torch.dtype) -> None:
        super().__init__()
        conv, weight = styled.conv, styled.conv.weight.detach() * styled.conv.scale
        outputs, inputs = weight.shape[:2]
        self.register_buffer("squares", weight.square().sum((2, 3)))
        self.register_buffer("bias", GAIN * styled.activate.bias.detach()[None, :, None, None].to(dtype))
        self.filter = None if conv.blur is None else filtering(conv.blur, outputs, dtype)
        plain: nn.Conv2d | nn.ConvTranspose2d
        if conv.blur is None:
            plain = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        else:
            plain, weight = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, bias=False), weight.transpose(0, 1)
        plain.weight = nn.Parameter(weight.contiguous())
        self.conv = PackedConv(plain.to(dtype))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map (1, inputs, H, W) and factors of the inputs, (inputs,), to (1, outputs, H, W), or twice the side."""
        made = self.conv(x * style[None, :, None, None].to(x.dtype))
        return self.finish(made if self.filter is None else self.filter(made), style)

    def finish(self, made: Tensor, style: Tensor) -> Tensor:
        """Return what follows the convolution: demodulation, bias and activation."""
        factor = GAIN * torch.rsqrt(self.squares @ style.square() + EPSILON)
        made = torch.addcmul(self.bias, made, factor[None, :, None, None].to(made.dtype))
        return functional.leaky_relu_(made, SLOPE)


class FusedTokenDecoder(nn.Module):
    """A `TokenDecoder` for one token at a time. The convolution of its constant is a product with the token."""

    start: Tensor
    modulation: Tensor
    modulation_bias: Tensor

    def __init__(self, decoder: TokenDecoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        styled = [decoder.first, *(one for pair in zip(decoder.ups, decoder.flats, strict=True) for one in pair)]
        layers = [cast("StyledConv", one) for one in [*styled, *decoder.ends]]
        linears = [layer.conv.modulation for layer in layers]
        self.register_buffer("modulation", torch.cat([one.weight.detach() * one.scale for one in linears]))
        self.register_buffer("modulation_bias", torch.cat([one.bias.detach() for one in linears]))
        self.counts = [len(one.bias) for one in linears]
        self.layers = nn.ModuleList(FusedStyled(layer, dtype) for layer in layers)
        self.levels = len(decoder.ends)
        first = layers[0].conv.weight.detach() * layers[0].conv.scale
        # Each input channel of the constant is convolved by itself: the style is their factor.
        columns = zip(decoder.constant.detach()[0], first.unbind(1), strict=True)
        parts = [functional.conv2d(one[None, None], weight[:, None], padding=1)[0] for one, weight in columns]
        self.register_buffer("start", torch.stack(parts, -1))

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Return motion features (1, C, H, W), channels last, as `TokenDecoder` does, of tokens (1, token_size)."""
        styles = torch.split(torch.addmv(self.modulation_bias, self.modulation, tokens[0]), self.counts)
        first, *layers = (cast("FusedStyled", layer) for layer in self.layers)
        x = (self.start @ styles[0]).to(self.dtype)[None].contiguous(memory_format=torch.channels_last)
        trunk = [first.finish(x, styles[0])]
        ends, pairs = layers[-self.levels :], layers[: -self.levels]
        for place in range(0, len(pairs), 2):
            doubled = pairs[place](trunk[-1], styles[place + 1])
            trunk.append(pairs[place + 1](doubled, styles[place + 2]))
        last = zip(ends, trunk[-self.levels :], styles[-self.levels :], strict=True)
        return [end(x, style) for end, x, style in last][::-1]


def convolution(
    layer: nn.Sequential, dtype: torch.dtype, *, gain: float, slope: float | None, stride: int | None = None
) -> PackedConv:
    """Return the convolution of a layer of StyleGAN2, times a gain, with its bias and an activation."""
    equal = next(part for part in layer if isinstance(part, EqualConv))
    bias = next((part.bias for part in layer if isinstance(part, Bias)), None)
    outputs, inputs, kernel = equal.weight.shape[:3]
    made = nn.Conv2d(inputs, outputs, kernel, stride or equal.stride, equal.padding, bias=bias is not None)
    made.weight = nn.Parameter(gain * equal.scale * equal.weight.detach())
    if bias is not None:
        made.bias = nn.Parameter(gain * bias.detach())
    return PackedConv(made.to(dtype), slope)


def filtering(blur: Blur, channels: int, dtype: torch.dtype, *, stride: int = 1) -> PackedConv:
    """Return an FIR filter as a convolution of each channel by itself."""
    made = nn.Conv2d(channels, channels, blur.kernel.shape[-1], stride, blur.padding[0], groups=channels, bias=False)
    made.weight = nn.Parameter(blur.kernel.expand(channels, 1, -1, -1).clone())
    return PackedConv(made.to(dtype))
