"""The compact network: PIRenderer's mapping, warping and editing (section 3.1 of its paper) around a geometric prior.

The flow is the mesh's flow plus a correction of the warping network; the editing network sees where the target mesh
lies, and blends three pictures: the prior's own, the corrected warp, and what it draws on top of these two. It starts
as the prior.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.renderers.compact.config import HINT_CHANNELS, CompactConfig

SLOPE = 0.1
# How far prior and drawing lead the corrected warp before any training. A drawing begins as what it is laid on, so that
# it may lead from the start, and must: what has no share in the picture learns nothing.
LEAD = 2.0
# Side of the cells within which a change is a shade and not detail.
SHADE_PIXELS = 8


class Rendered(NamedTuple):
    """What the network makes of a batch."""

    picture: Tensor
    """(B, 3, S, S) in [-1, 1]."""
    warped: Tensor
    """(B, 3, S, S), the source moved by the corrected flow."""
    blend: Tensor
    """(B, 3, S, S), shares of prior, warp and drawing."""


class Mapping(nn.Module):
    """Turn (B, motion) numbers into the (B, descriptor) vector."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        wide = config.descriptor
        self.first = nn.Linear(config.motion_channels, wide)
        self.layers = nn.ModuleList(nn.Linear(wide, wide) for _ in range(2))

    def forward(self, motion: Tensor) -> Tensor:
        """Take (B, motion channels)."""
        vector: Tensor = self.first(motion)
        for layer in self.layers:
            vector = vector + layer(functional.leaky_relu(vector, SLOPE))
        return vector


class AdaIN(nn.Module):
    """Instance norm whose scale and shift the descriptor gives."""

    def __init__(self, channels: int, descriptor: int) -> None:
        super().__init__()
        self.affine = nn.Linear(descriptor, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.01)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """Take (B, C, H, W) and (B, descriptor)."""
        gamma, beta = self.affine(vector).float().chunk(2, dim=1)
        # Picture by picture the norm of a batch is that of an instance; of torch's ways it alone is quick on a CPU with
        # channels side by side, five times as quick as taking the moments.
        normed = [
            functional.batch_norm(one, None, None, 1 + scale, shift, training=True)
            for one, scale, shift in zip(torch.split(x, 1), gamma, beta, strict=True)
        ]
        return torch.cat(normed)


class Block(nn.Module):
    """Two 3x3 convolutions with AdaIN before each, added to what came in."""

    def __init__(self, channels: int, descriptor: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(AdaIN(channels, descriptor) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """Take (B, C, H, W) and (B, descriptor)."""
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(functional.leaky_relu(norm(y, vector), SLOPE))
        return x + y


class Hourglass(nn.Module):
    """Down by strided convolutions, blocks at each resolution on the way down, up by shuffling, skips added."""

    def __init__(self, inputs: int, widths: tuple[int, ...], blocks: tuple[int, ...], descriptor: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inputs, widths[0], 3, 1, 1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(high, low, 3, 2, 1) for high, low in pairs)
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(width, descriptor) for _ in range(count))
            for width, count in zip(widths, blocks, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(low, 4 * high, 1) for high, low in pairs)
        self.join = nn.ModuleList(nn.Conv2d(high, high, 3, 1, 1) for high, _ in pairs)
        self.norms = nn.ModuleList(AdaIN(high, descriptor) for high, _ in pairs)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """Take (B, inputs, H, W) and (B, descriptor), give (B, widths[0], H, W)."""
        x, kept = self.enter(x), []
        for level, blocks in enumerate(self.blocks):
            if level:
                kept.append(x)
                x = self.down[level - 1](functional.leaky_relu(x, SLOPE))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, vector)
        for level in reversed(range(len(self.up))):
            x = functional.pixel_shuffle(self.up[level](functional.leaky_relu(x, SLOPE)), 2) + kept[level]
            x = x + self.join[level](functional.leaky_relu(self.norms[level](x, vector), SLOPE))
        return functional.leaky_relu(x, SLOPE)


class CompactNet(nn.Module):
    """Mapping, warping and editing networks."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        warp, edit = config.warp_widths, config.edit_widths
        self.mapping = Mapping(config)
        self.warping = Hourglass(2 * 3 * 16 + HINT_CHANNELS, warp, (0, 1, 2)[: len(warp)], config.descriptor)
        self.correction = nn.Conv2d(warp[0], 2, 3, 1, 1)
        self.editing = Hourglass(3 * 3 * 4 + HINT_CHANNELS, edit, config.edit_blocks, config.descriptor)
        self.final = nn.Conv2d(edit[0], 6 * 4, 3, 1, 1)
        with torch.no_grad():
            nn.init.zeros_(self.correction.weight)
            nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]
            self.final.weight.mul_(0.1)
            self.final.weight[:12] = 0
            bias = torch.zeros(6, 4)
            bias[3] = bias[5] = LEAD
            self.final.bias.copy_(bias.flatten())  # type: ignore[union-attr]

    def forward(self, source: Tensor, prior: Tensor, position: Tensor, hints: Tensor, motion: Tensor) -> Rendered:
        """Draw a batch.

        `source` and `prior` (B, 3, S, S) in [-1, 1]; `position` (B, 2, S, S), where each pixel of the target lies in
        the source, x and y, -1 and 1 in the middles of the outermost pixels; `hints` (B, 9, S / 2, S / 2); `motion`
        (B, 70).
        """
        size, side = source.shape[-1], self.config.side_pixels
        if size == side:
            shift, warped, drawn, logits = self.decide(source, prior, position, hints, motion)
        else:
            seen = resized(source, side), resized(prior, side), replaced(position, side), resized(hints, side // 2)
            shift, _, drawn, logits = self.decide(*seen, motion)
            drawn, logits = resized(drawn, size), resized(logits, size)
            warped = warp(source, position, shift)
        # Drawn is the mean of prior and warp, by their shares, and a change of it; so this is the blend of all three.
        moved = warped + (logits[:, :1] - logits[:, 1:2]).sigmoid() * (prior - warped)
        return Rendered(moved + drawn, warped, logits.softmax(1))

    def decide(
        self, source: Tensor, prior: Tensor, position: Tensor, hints: Tensor, motion: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the flow's correction (B, 2, S / 4, S / 4), the warp by it, the change by its share, and the blend.

        The blend as logits, (B, 3, S, S).
        """
        vector = self.mapping(motion)
        coarse = functional.avg_pool2d(hints, 2)
        seen = torch.cat([functional.pixel_unshuffle(source, 4), functional.pixel_unshuffle(prior, 4), coarse], 1)
        shift = self.correction(self.warping(seen, vector)).tanh() * (2 * self.config.most_shift)
        warped = warp(source, position, shift)
        pictures = [functional.pixel_unshuffle(part, 2) for part in (source, prior, warped)]
        out = functional.pixel_shuffle(self.final(self.editing(torch.cat([*pictures, hints], 1), vector)), 2)
        change, logits = out[:, :3], out[:, 3:]
        drawn = restrained(logits.softmax(1)[:, 2:] * change, hints, self.config.most_detail)
        return shift, warped, drawn, logits


def restrained(drawn: Tensor, hints: Tensor, most: float) -> Tensor:
    """Return a (B, 3, S, S) change whose detail is `most` at most on skin that the source shows.

    Such skin may be shaded; but its features are the source's own, moved: painted as well, they would show twice.
    """
    hidden = 1 - hints[:, 2:3] * hints[:, 3:4]
    # A quarter of a cell's neighbourhood is enough for all of it to be free.
    free = upsampled((4 * functional.avg_pool2d(hidden, 4, 2, 1)).clamp(max=1), drawn)
    shade = upsampled(functional.avg_pool2d(drawn, SHADE_PIXELS), drawn)
    detail = drawn - shade
    within = detail.clamp(-most, most)
    return shade + within + free * (detail - within)


def warp(source: Tensor, position: Tensor, shift: Tensor) -> Tensor:
    """Take the (B, 3, S, S) source at (B, 2, S, S) positions, each moved by a coarser (B, 2, s, s) shift."""
    shift = functional.interpolate(shift, size=source.shape[-2:], mode="bilinear", align_corners=False)
    grid = (position + shift.float()).permute(0, 2, 3, 1)
    # Places need more digits than bfloat16 has.
    warped = functional.grid_sample(source.float(), grid, padding_mode="border", align_corners=True)
    return warped.to(source.dtype)


def upsampled(maps: Tensor, like: Tensor) -> Tensor:
    """Return (B, C, h, w) at the height, the width and in the numbers of another tensor."""
    # In bfloat16 that takes a CPU twice as long.
    maps = functional.interpolate(maps.float(), size=like.shape[-2:], mode="bilinear", align_corners=False)
    return maps.to(like.dtype)


def resized(maps: Tensor, side: int) -> Tensor:
    """Return (B, C, S, S) as (B, C, side, side), averaged over what becomes one pixel."""
    if side < maps.shape[-1]:
        return functional.interpolate(maps, size=(side, side), mode="area")
    return functional.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)


def replaced(position: Tensor, side: int) -> Tensor:
    """Return positions in (B, 2, S, S) pictures as those in pictures of another side: edges meet, not middles."""
    size = position.shape[-1]
    share = ((resized(position, side) + 1) * (size - 1) + 1) / (2 * size)
    return (2 * side * share - 1) / (side - 1) - 1
