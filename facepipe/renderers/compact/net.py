"""The compact network: PIRenderer's mapping, warping and editing (section 3.1 of its paper) around a geometric prior.

The flow is the mesh's flow plus a correction of the warping network; the editing network sees where the target mesh
lies, and blends three pictures: the prior's own, the corrected warp, and what it draws on top of these two. It starts
near the prior.
"""

from __future__ import annotations

from functools import lru_cache
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
# By how much the warp falls behind where it has nothing to show.
DRAWN_LEAD = 20.0


class Rendered(NamedTuple):
    """What the network makes of a batch."""

    picture: Tensor
    """(B, 3, S, S) in [-1, 1]."""
    warped: Tensor
    """(B, 3, S, S), the source moved by the corrected flow."""
    logits: Tensor
    """(B, 3, S, S), of the shares of prior, warp and drawing."""

    @property
    def blend(self) -> Tensor:
        """(B, 3, S, S), shares of prior, warp and drawing."""
        return self.logits.softmax(1)

    @property
    def share_of_warp(self) -> Tensor:
        """(B, 1, S, S), of warp and prior alone."""
        return (self.logits[:, 1:2] - self.logits[:, :1]).sigmoid()


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
            y = conv(functional.leaky_relu_(norm(y, vector), SLOPE))
        return y.add_(x)


class Entry(nn.Conv2d):
    """A 3x3 convolution of pictures shuffled to the resolution of the maps beside them, and of these maps.

    To shuffle pixels and then convolve them is to convolve them by a wider kernel at strides, which copies nothing.
    """

    def __init__(self, planes: int, shuffle: int, maps: int, width: int) -> None:
        super().__init__(planes * shuffle**2 + maps, width, 3, 1, 1)
        self.planes, self.shuffle = planes, shuffle

    def forward(self, pictures: Tensor, maps: Tensor) -> Tensor:  # type: ignore[override]
        """Take (B, planes, shuffle * H, shuffle * W) and (B, maps, H, W)."""
        planes, side = self.planes, self.shuffle
        shuffled, plain = torch.split(self.weight, [planes * side**2, maps.shape[1]], 1)
        # Rows and columns within a cell, which were channels, go beside those of the cells.
        cells = shuffled.reshape(-1, planes, side, side, 3, 3).permute(0, 1, 4, 2, 5, 3)
        wide = cells.reshape(-1, planes, 3 * side, 3 * side).contiguous(memory_format=torch.channels_last)
        x = functional.conv2d(pictures, wide, stride=side, padding=side)
        return x.add_(functional.conv2d(maps, plain, self.bias, padding=1))


class Hourglass(nn.Module):
    """Down by strided convolutions, blocks at each resolution on the way down, up by shuffling, skips added."""

    def __init__(
        self, planes: int, shuffle: int, widths: tuple[int, ...], blocks: tuple[int, ...], descriptor: int
    ) -> None:
        super().__init__()
        self.enter = Entry(planes, shuffle, HINT_CHANNELS, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(high, low, 3, 2, 1) for high, low in pairs)
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(width, descriptor) for _ in range(count))
            for width, count in zip(widths, blocks, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(low, 4 * high, 1) for high, low in pairs)
        self.join = nn.ModuleList(nn.Conv2d(high, high, 3, 1, 1) for high, _ in pairs)
        self.norms = nn.ModuleList(AdaIN(high, descriptor) for high, _ in pairs)

    def forward(self, pictures: Tensor, hints: Tensor, vector: Tensor) -> Tensor:
        """Take (B, planes, S, S), (B, 9, H, W) and (B, descriptor), give (B, widths[0], H, W)."""
        x, skips = self.enter(pictures, hints), []
        for level, blocks in enumerate(self.blocks):
            if level:
                skips.append(x)
                x = self.down[level - 1](functional.leaky_relu(x, SLOPE))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, vector)
        for level in reversed(range(len(self.up))):
            x = functional.pixel_shuffle(self.up[level](functional.leaky_relu_(x, SLOPE)), 2).add_(skips[level])
            x = self.join[level](functional.leaky_relu_(self.norms[level](x, vector), SLOPE)).add_(x)
        return functional.leaky_relu_(x, SLOPE)


class CompactNet(nn.Module):
    """Mapping, warping and editing networks."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        warp, edit = config.warp_widths, config.edit_widths
        self.mapping = Mapping(config)
        self.warping = Hourglass(6, 4, warp, (0, 1, 2)[: len(warp)], config.descriptor)
        self.correction = nn.Conv2d(warp[0], 2, 3, 1, 1)
        self.editing = Hourglass(9, 2, edit, config.edit_blocks, config.descriptor)
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

        `source` (B, 3, S, S) in [-1, 1], or (1, 3, S, S) for all; `prior` (B, 3, S, S); `position` (B, 2, S, S), where
        each pixel of the target lies in the source, x and y, -1 and 1 in the middles of the outermost pixels; `hints`
        (B, 9, S / 2, S / 2); `motion` (B, 70).
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
        return Rendered(moved + drawn, warped, logits)

    def decide(
        self, source: Tensor, prior: Tensor, position: Tensor, hints: Tensor, motion: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the flow's correction (B, 2, S / 4, S / 4), the warp by it, the change by its share, and the blend.

        The blend as logits, (B, 3, S, S).
        """
        vector = self.mapping(motion)
        pictures = torch.cat([source.expand_as(prior), prior], 1)
        flow = self.warping(pictures, functional.avg_pool2d(hints, 2), vector)
        shift = self.correction(flow).tanh() * (2 * self.config.most_shift)
        warped = warp(source, position, shift)
        out = shuffled(self.final(self.editing(torch.cat([pictures, warped], 1), hints, vector)))
        change, logits = out[:, :3], unwarped(out[:, 3:], hints)
        drawn = restrained(logits.softmax(1)[:, 2:] * change, hints, self.config)
        return shift, warped, drawn, logits


def unwarped(logits: Tensor, hints: Tensor) -> Tensor:
    """Return the logits with none of the warp in a mouth whose inside the source does not show: it would be lips."""
    drawn = spread(hints[:, 5:6] * (1 - hints[:, 2:3]), logits.shape[-1])
    return torch.cat([logits[:, :1], logits[:, 1:2] - DRAWN_LEAD * drawn, logits[:, 2:]], 1)


def restrained(drawn: Tensor, hints: Tensor, config: CompactConfig) -> Tensor:
    """Return a (B, 3, S, S) change whose detail is bounded on skin that the source shows, and within mouths.

    Such skin may be shaded; but its features are the source's own, moved: painted as well, they would show twice. What
    a mouth holds no motion tells, and a mean of all that it might hold is a fog: there shades are bounded as well.
    """
    most, mouth = config.most_detail, hints[:, 5:6]
    hidden = (1 - hints[:, 2:3] * hints[:, 3:4]) * (1 - mouth)
    # A quarter of a cell's neighbourhood is enough for all of it to be free.
    free = spread((4 * functional.avg_pool2d(hidden, 4, 2, 1)).clamp(max=1), drawn.shape[-1])
    cells = functional.avg_pool2d(drawn, SHADE_PIXELS)
    detail = drawn - spread(cells, drawn.shape[-1])
    within = functional.avg_pool2d(mouth, SHADE_PIXELS * mouth.shape[-1] // drawn.shape[-1])
    # Unlike a sharp bound this one can be left again in training.
    cells = cells / (1 + within * cells.abs() / config.most_shade)
    bounded = detail.clamp(-most, most)
    return spread(cells, drawn.shape[-1]) + bounded + free * (detail - bounded)


def warp(source: Tensor, position: Tensor, shift: Tensor) -> Tensor:
    """Take the (B or 1, 3, S, S) source at (B, 2, S, S) positions, each moved by a coarser (B, 2, s, s) shift."""
    # BatchPaths need more digits than bfloat16 has.
    grid = (position + spread(shift.float(), source.shape[-1])).permute(0, 2, 3, 1)
    pictures = source.float().expand(len(grid), -1, -1, -1)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=True).to(source.dtype)


def shuffled(x: Tensor) -> Tensor:
    """Return (B, 4 C, H, W) as (B, C, 2 H, 2 W), channel by channel in memory, as what follows is fastest on a CPU."""
    count, _, height, width = x.shape
    cells = x.view(count, -1, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    return cells.reshape(count, -1, 2 * height, 2 * width)


def spread(maps: Tensor, side: int) -> Tensor:
    """Return (B, C, s, s) enlarged to (B, C, side, side) bilinearly; by matrices, which is several times as quick."""
    rows = bilinear(maps.shape[-1], side).to(maps)
    return rows @ (maps @ rows.T)


@lru_cache
def bilinear(few: int, many: int) -> Tensor:
    """Return the (many, few) matrix that enlarges a line, edges meeting."""
    # It is kept, and what inference makes no training may use.
    with torch.inference_mode(False):
        lines = functional.interpolate(torch.eye(few)[None], size=many, mode="linear", align_corners=False)
        return lines[0].T.contiguous()


def resized(maps: Tensor, side: int) -> Tensor:
    """Return (B, C, S, S) as (B, C, side, side), averaged over what becomes one pixel."""
    if side >= maps.shape[-1]:
        return spread(maps, side)
    if maps.shape[-1] % side == 0:  # The same averages, in fewer steps.
        return functional.avg_pool2d(maps, maps.shape[-1] // side)
    return functional.interpolate(maps, size=(side, side), mode="area")


def replaced(position: Tensor, side: int) -> Tensor:
    """Return positions in (B, 2, S, S) pictures as those in pictures of another side: edges meet, not middles."""
    size = position.shape[-1]
    share = ((resized(position, side) + 1) * (size - 1) + 1) / (2 * size)
    return (2 * side * share - 1) / (side - 1) - 1
