"""The compact network: mapping, warping and editing as in PIRenderer (section 3 of the paper), on a geometric prior.

The flow is the mesh's flow plus a correction from the warping network. The editing network reads the conditioning maps
and blends three pictures: the prior's, the warped source, and a generated one on top of these two. Initial weights
give almost the prior's picture.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.resampling import rescaled_positions, resized, shuffled, upsampled, warp
from facepipe.renderers.compact.config import CompactConfig
from facepipe.rendering.conditioning import CONDITIONING_CHANNELS

SLOPE = 0.1
# Initial logits of prior and generated picture; that of the warp is 0. The generated picture starts as the blend of the
# other two, so a large share is harmless, and needed: with a small share it would get hardly any gradient.
INITIAL_LOGIT = 2.0
# Side of the cells whose mean is low frequency (shade); the rest is detail.
SHADE_PIXELS = 8
# Subtracted from the warp's logit where the warped source cannot be right.
HIDDEN_LOGIT = 20.0


class Rendered(NamedTuple):
    """Output of the network for a batch."""

    picture: Tensor
    """(B, 3, S, S) in [-1, 1]."""
    warped: Tensor
    """(B, 3, S, S), the source warped by the corrected flow."""
    logits: Tensor
    """(B, 3, S, S), logits of the shares of prior, warp and generated picture."""

    @property
    def blend(self) -> Tensor:
        """(B, 3, S, S), shares of prior, warp and generated picture, which sum to 1."""
        return self.logits.softmax(1)

    @property
    def warp_share(self) -> Tensor:
        """(B, 1, S, S), share of the warp in a blend of warp and prior alone."""
        return (self.logits[:, 1:2] - self.logits[:, :1]).sigmoid()


class Mapping(nn.Module):
    """Maps (B, motion) rows to (B, latent) vectors."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        wide = config.latent
        self.first = nn.Linear(config.motion_channels, wide)
        self.layers = nn.ModuleList(nn.Linear(wide, wide) for _ in range(2))

    def forward(self, motion: Tensor) -> Tensor:
        """Take (B, motion channels)."""
        latent: Tensor = self.first(motion.to(self.first.weight.dtype))
        for layer in self.layers:
            latent = latent + layer(functional.leaky_relu(latent, SLOPE))
        return latent


class AdaIN(nn.Module):
    """Instance norm with scale and shift from the latent vector."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.affine = nn.Linear(latent, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.01)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Take (B, C, H, W) and (B, latent)."""
        gamma, beta = self.affine(latent).float().chunk(2, dim=1)
        # For a batch of one picture, batch norm is instance norm. On a CPU with channels-last tensors it is torch's
        # only fast implementation, five times faster than computing the moments.
        normed = [
            functional.batch_norm(one, None, None, 1 + scale, shift, training=True)
            for one, scale, shift in zip(torch.split(x, 1), gamma, beta, strict=True)
        ]
        return torch.cat(normed) if len(normed) > 1 else normed[0]


class Block(nn.Module):
    """Residual block of two 3x3 convolutions, with AdaIN before each."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(AdaIN(channels, latent) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Take (B, C, H, W) and (B, latent)."""
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(functional.leaky_relu_(norm(y, latent), SLOPE))
        return y.add_(x)


class Entry(nn.Conv2d):
    """A 3x3 convolution of pixel-unshuffled pictures concatenated with maps of the lower resolution.

    Unshuffling pixels and then convolving equals convolving with a larger kernel and a stride, which copies nothing.
    """

    def __init__(self, planes: int, shuffle: int, maps: int, width: int) -> None:
        super().__init__(planes * shuffle**2 + maps, width, 3, 1, 1)
        self.planes, self.shuffle = planes, shuffle

    def forward(self, pictures: Tensor, maps: Tensor) -> Tensor:  # type: ignore[override]
        """Take (B, planes, shuffle * H, shuffle * W) and (B, maps, H, W)."""
        planes, side = self.planes, self.shuffle
        shuffled, plain = torch.split(self.weight, [planes * side**2, maps.shape[1]], 1)
        # Interleave the rows and columns within a cell, which were channels, with the rows and columns of cells.
        cells = shuffled.reshape(-1, planes, side, side, 3, 3).permute(0, 1, 4, 2, 5, 3)
        wide = cells.reshape(-1, planes, 3 * side, 3 * side).contiguous(memory_format=torch.channels_last)
        x = functional.conv2d(pictures, wide, stride=side, padding=side)
        return x.add_(functional.conv2d(maps, plain, self.bias, padding=1))


class Hourglass(nn.Module):
    """Encoder of strided convolutions with blocks at each resolution, pixel-shuffling decoder, skips added."""

    def __init__(
        self, planes: int, shuffle: int, widths: tuple[int, ...], blocks: tuple[int, ...], latent: int
    ) -> None:
        super().__init__()
        self.enter = Entry(planes, shuffle, CONDITIONING_CHANNELS, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(high, low, 3, 2, 1) for high, low in pairs)
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(width, latent) for _ in range(count))
            for width, count in zip(widths, blocks, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(low, 4 * high, 1) for high, low in pairs)
        self.join = nn.ModuleList(nn.Conv2d(high, high, 3, 1, 1) for high, _ in pairs)
        self.norms = nn.ModuleList(AdaIN(high, latent) for high, _ in pairs)

    def forward(self, pictures: Tensor, maps: Tensor, latent: Tensor) -> Tensor:
        """Take (B, planes, S, S), (B, 9, H, W) and (B, latent); return (B, widths[0], H, W)."""
        x, skips = self.enter(pictures, maps), []
        for level, blocks in enumerate(self.blocks):
            if level:
                skips.append(x)
                x = self.down[level - 1](functional.leaky_relu(x, SLOPE))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, latent)
        for level in reversed(range(len(self.up))):
            x = functional.pixel_shuffle(self.up[level](functional.leaky_relu_(x, SLOPE)), 2).add_(skips[level])
            x = self.join[level](functional.leaky_relu_(self.norms[level](x, latent), SLOPE)).add_(x)
        return functional.leaky_relu_(x, SLOPE)


class CompactNet(nn.Module):
    """Mapping, warping and editing networks."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        warp, edit = config.warp_widths, config.edit_widths
        self.mapping = Mapping(config)
        self.warping = Hourglass(6, 4, warp, (0, 1, 2)[: len(warp)], config.latent)
        self.correction = nn.Conv2d(warp[0], 2, 3, 1, 1)
        self.editing = Hourglass(9, 2, edit, config.edit_blocks, config.latent)
        self.final = nn.Conv2d(edit[0], 6 * 4, 3, 1, 1)
        with torch.no_grad():
            nn.init.zeros_(self.correction.weight)
            nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]
            self.final.weight.mul_(0.1)
            self.final.weight[:12] = 0
            bias = torch.zeros(6, 4)
            bias[3] = bias[5] = INITIAL_LOGIT
            self.final.bias.copy_(bias.flatten())  # type: ignore[union-attr]

    def forward(self, source: Tensor, prior: Tensor, position: Tensor, maps: Tensor, motion: Tensor) -> Rendered:
        """Render a batch.

        Args:
            source: (B, 3, S, S) in [-1, 1], or (1, 3, S, S) for the whole batch.
            prior: (B, 3, S, S) in [-1, 1], the prior's pictures.
            position: (B, 2, S, S), x and y in the source; -1 and 1 are the centres of the outermost pixels.
            maps: (B, 9, S / 2, S / 2); see `Conditioning`.
            motion: (B, 70); see `motion_of`.
        """
        size, side = source.shape[-1], self.config.side_pixels
        if size == side:
            shift, warped, change, logits = self.decide(source, prior, position, maps, motion)
        else:
            inputs = (
                resized(source, side),
                resized(prior, side),
                rescaled_positions(position, side),
                resized(maps, side // 2),
            )
            shift, _, change, logits = self.decide(*inputs, motion)
            change, logits = resized(change, size), resized(logits, size)
            warped = warp(source, position, shift)
        # The generated picture is the blend of prior and warp plus a change. The blend of all three is therefore the
        # blend of prior and warp plus the change times its share.
        base = warped + (logits[:, :1] - logits[:, 1:2]).sigmoid() * (prior - warped)
        return Rendered(base + change, warped, logits)

    def decide(
        self, source: Tensor, prior: Tensor, position: Tensor, maps: Tensor, motion: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run the three networks at their own size, S.

        Returns:
            The correction of the flow, (B, 2, S / 4, S / 4); the source warped by the corrected flow, the change times
            its share, and the logits of the blend, each (B, 3, S, S).
        """
        latent = self.mapping(motion)
        pictures = torch.cat([source.expand_as(prior), prior], 1)
        flow = self.warping(pictures, functional.avg_pool2d(maps, 2), latent)
        shift = self.correction(flow).tanh() * (2 * self.config.max_shift)
        warped = warp(source, position, shift)
        out = shuffled(self.final(self.editing(torch.cat([pictures, warped], 1), maps, latent)))
        change, logits = out[:, :3], without_warp(out[:, 3:], maps)
        change = bounded_change(logits.softmax(1)[:, 2:] * change, maps, self.config)
        return shift, warped, change, logits


def in_precision(net: CompactNet, dtype: torch.dtype, device: torch.device | None = None) -> CompactNet:
    """Move a network to a device and cast its convolutions; the layers that compute the latent stay float32.

    On a CPU a linear layer of one row is several times as fast in float32 as in bfloat16.
    """
    net = net.to(device, dtype)
    for part in net.modules():
        if isinstance(part, nn.Linear):
            part.float()
    return net


def without_warp(logits: Tensor, maps: Tensor) -> Tensor:
    """Suppress the warp inside a mouth that the source does not show: it would only show lips."""
    hidden = upsampled(maps[:, 5:6] * (1 - maps[:, 2:3]), logits.shape[-1])
    return torch.cat([logits[:, :1], logits[:, 1:2] - HIDDEN_LOGIT * hidden, logits[:, 2:]], 1)


def bounded_change(change: Tensor, maps: Tensor, config: CompactConfig) -> Tensor:
    """Bound the detail of a (B, 3, S, S) change on skin that the source shows, and all of it inside the mouth.

    Visible skin may be shaded, but its features come from the source: generated as well, they would appear twice.
    Motion does not determine the inside of a mouth, and averaging over the possibilities blurs it; there low
    frequencies are bounded too.
    """
    limit, mouth = config.max_detail, maps[:, 5:6]
    hidden = (1 - maps[:, 2:3] * maps[:, 3:4]) * (1 - mouth)
    # Detail of a cell is unbounded once a quarter of the cell's neighbourhood is hidden.
    free = upsampled((4 * functional.avg_pool2d(hidden, 4, 2, 1)).clamp(max=1), change.shape[-1])
    cells = functional.avg_pool2d(change, SHADE_PIXELS)
    detail = change - upsampled(cells, change.shape[-1])
    within = functional.avg_pool2d(mouth, SHADE_PIXELS * mouth.shape[-1] // change.shape[-1])
    # A soft bound: unlike clamping it has a gradient everywhere.
    cells = cells / (1 + within * cells.abs() / config.max_shade)
    bounded = detail.clamp(-limit, limit)
    return upsampled(cells, change.shape[-1]) + bounded + free * (detail - bounded)
