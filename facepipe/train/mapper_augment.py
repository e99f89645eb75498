"""Augmentation of the mapper's samples in batches: domain randomisation of drawings, and variations of portraits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from facepipe.creation.mapping import CLOSE_MIDDLE, CLOSE_SIDE, POINT_SCALE, SEEN_PIXELS
from facepipe.creation.observation import SIDE_PIXELS
from facepipe.train.mapper_cache import MARGIN, Samples

SCALE, SHIFT, TURN_RADIANS = 0.05, 0.02, 0.05
"""Standard deviations of the frame's errors, as fractions of its side."""
POINT_NOISE_PIXELS = 0.5


@dataclass(frozen=True)
class Batch:
    """Inputs of the mapper, and the parts."""

    wide: Tensor
    close: Tensor
    points: Tensor
    parts: Tensor
    """(B, S/2, S/2) int64; empty for portraits."""
    plain: Tensor
    """(B,) bool: whether the colours are as they were."""


def plain_batch(samples: Samples, *, background: Tensor | None = None) -> Batch:
    """Return samples as they are, drawings in front of a plain background."""
    count = len(samples)
    identity = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).repeat(count, 1, 1)
    limits = torch.tensor([-9.0, 9, -9, 9]).repeat(count, 1)
    wide, close, parts = _crops(samples, identity, limits)
    if samples.numbers.shape[1]:
        shade = background if background is not None else torch.tensor([0.9, 0.91, 0.93])
        wide, close = (_over(picture, shade.view(1, 3, 1, 1)) for picture in (wide, close))
    points = samples.points
    return Batch(_signed(wide), _signed(close[:, :3]), _normalised(points), parts, torch.ones(count, dtype=torch.bool))


def augmented(samples: Samples, random: torch.Generator, mirror: Tensor, *, strong: float, clean: float = 0.0) -> Batch:
    """Return samples in other frames, in front of other backgrounds, in other light, and worse.

    Args:
        samples: Drawings or portraits.
        random: Source of randomness.
        mirror: (478,), the mirror partner of each point.
        strong: Probability of changed colours; the rest of the samples keep theirs.
        clean: Probability that a drawing is left as it is, as pictures by the engine are.
    """
    count, drawn = len(samples), bool(samples.numbers.shape[1])
    matrix = _frames(count, random)
    points = samples.points + POINT_NOISE_PIXELS * torch.randn(samples.points.shape, generator=random)
    if not drawn:
        turned = torch.rand(count, generator=random) < 0.5
        samples, points = _mirrored(samples, points, turned, mirror)
    wide, close, parts = _crops(samples, matrix, _limits(count, random, 0.4 if drawn else 0.2))
    points = _moved(points, matrix)
    matte = _worse_matte(wide[:, 3:4], random)
    behind = backgrounds(count, random)
    replaced = torch.ones(count) if drawn else (torch.rand(count, generator=random) < 0.3).float()
    changed = torch.rand(count, generator=random) < strong
    wide, close = _composed(wide, close, behind, replaced)
    wide[:, :3], close[:, :3] = _lit(wide[:, :3], close[:, :3], changed, random, textures=drawn)
    planes = torch.cat([_degraded(wide[:, :3], random, 0.5), matte, wide[:, 4:]], 1)
    batch = Batch(_signed(planes), _signed(_degraded(close[:, :3], random, 0.8)), _normalised(points), parts, ~changed)
    return _partly(plain_batch(samples), batch, torch.rand(count, generator=random) < clean) if clean else batch


def _partly(first: Batch, second: Batch, chosen: Tensor) -> Batch:
    """Return the samples `chosen` (B,) of the first batch, and the others of the second."""
    names = first.__dataclass_fields__
    rows = {name: chosen.view(-1, *[1] * (getattr(first, name).ndim - 1)) for name in names}
    return Batch(*(torch.where(rows[name], getattr(first, name), getattr(second, name)) for name in names))


def _signed(values: Tensor) -> Tensor:
    return (2 * values.clamp(0, 1) - 1).contiguous(memory_format=torch.channels_last)


def _normalised(points: Tensor) -> Tensor:
    scaled = points / SIDE_PIXELS
    middle = torch.tensor(CLOSE_MIDDLE)
    depth = scaled[..., 2:] - scaled[..., 2:].mean(1, keepdim=True)
    return POINT_SCALE * torch.cat([scaled[..., :2] - middle, depth], -1).flatten(1)


def _frames(count: int, random: torch.Generator) -> Tensor:
    """Return maps (B, 2, 3) from the new frame to the old one, in [-1, 1]."""
    scale = torch.exp(SCALE * torch.randn(count, generator=random))
    turn = TURN_RADIANS * torch.randn(count, generator=random)
    shift = 2 * SHIFT * torch.randn(count, 2, generator=random)
    cos, sin = scale * torch.cos(turn), scale * torch.sin(turn)
    return torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)


def _limits(count: int, random: torch.Generator, share: float) -> Tensor:
    """Return left, right, top and bottom (B, 4) of the portrait in [-1, 1] of the frame; beyond them it is cut off."""
    reach = torch.tensor([0.45, 0.45, 0.6, 0.35])
    amount = torch.rand(count, 4, generator=random) * (torch.rand(count, 4, generator=random) < share / 2)
    return torch.tensor([-1.2, 1.2, -1.2, 1.2]) + torch.tensor([1, -1, 1, -1]) * amount * (reach + 0.2)


def _crops(samples: Samples, matrix: Tensor, limits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the crops (B, 5, S, S) and (B, 4, S, S) in [0, 1], and the parts (B, S/2, S/2)."""
    size = (len(samples), 1, SEEN_PIXELS, SEEN_PIXELS)
    grid = functional.affine_grid(matrix, list(size), align_corners=False)
    low, high = limits[:, None, None, 0::2], limits[:, None, None, 1::2]
    bounded = torch.maximum(torch.minimum(grid, high), low)
    inside = (bounded == grid).all(-1).float()[:, None]
    wide = functional.grid_sample(
        samples.wide.float() / 255, bounded / MARGIN, padding_mode="border", align_corners=False
    )
    wide[:, 3:] *= inside
    # The close crop is a part of the frame: the same map, about another middle.
    middle = torch.tensor(CLOSE_MIDDLE) * 2 - 1
    frame = functional.affine_grid(torch.eye(2, 3).repeat(len(matrix), 1, 1), list(size), align_corners=False)
    there = torch.einsum("bij,bhwj->bhwi", matrix[:, :, :2], middle + CLOSE_SIDE * frame) + matrix[:, None, None, :, 2]
    there = (torch.maximum(torch.minimum(there, high), low) - middle) / CLOSE_SIDE
    close = functional.grid_sample(
        samples.close.float() / 255, there / MARGIN, padding_mode="border", align_corners=False
    )
    parts = samples.parts.long()
    if samples.numbers.shape[1]:
        half = bounded[:, ::2, ::2]
        found = functional.grid_sample(
            samples.parts[:, None].float(), half / MARGIN, mode="nearest", padding_mode="border", align_corners=False
        )
        parts = (found * inside[:, :, ::2, ::2]).long()[:, 0]
    return wide, close, parts


def _moved(points: Tensor, matrix: Tensor) -> Tensor:
    """Return points (B, 478, 3) of the old frame in the new one."""
    half = SIDE_PIXELS / 2
    there = (points[..., :2] + 0.5) / half - 1
    inverse = torch.linalg.inv(matrix[:, :, :2])
    here = torch.einsum("bij,bnj->bni", inverse, there - matrix[:, None, :, 2])
    scale = torch.linalg.det(inverse).sqrt()[:, None, None]
    return torch.cat([(here + 1) * half - 0.5, points[..., 2:] * scale], -1)


def _mirrored(samples: Samples, points: Tensor, turned: Tensor, mirror: Tensor) -> tuple[Samples, Tensor]:
    flips = turned.view(-1, 1, 1, 1)
    wide = torch.where(flips, samples.wide.flip(3), samples.wide)
    close = torch.where(flips, samples.close.flip(3), samples.close)
    other = points[:, mirror].clone()
    other[..., 0] = SIDE_PIXELS - 1 - other[..., 0]
    moved = torch.where(turned.view(-1, 1, 1), other, points)
    return Samples(wide, close, moved, samples.parts, samples.numbers, samples.choices), moved


def _over(picture: Tensor, behind: Tensor) -> Tensor:
    share = picture[:, 3:4]
    return torch.cat([picture[:, :3] * share + behind * (1 - share), picture[:, 3:]], 1)


def _noise(count: int, channels: int, cells: int, random: torch.Generator, size: int = SEEN_PIXELS) -> Tensor:
    """Return smooth noise (B, channels, size, size) in [-1, 1]."""
    coarse = 2 * torch.rand(count, channels, cells, cells, generator=random) - 1
    return functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)


def backgrounds(count: int, random: torch.Generator) -> Tensor:
    """Return backgrounds (B, 3, S, S): one colour, smooth colours, and blobs of several sizes."""
    base = torch.rand(count, 3, 1, 1, generator=random)
    amount = 0.5 * torch.rand(count, 1, 1, 1, generator=random) ** 2 * 2
    cells = (3, 6, 14, 40)
    kinds = torch.rand(count, len(cells), 1, 1, 1, generator=random) ** 2
    grey = torch.rand(count, 1, 1, 1, generator=random) < 0.4
    mixed = torch.zeros(count, 3, SEEN_PIXELS, SEEN_PIXELS)
    for number, size in enumerate(cells):
        mixed += kinds[:, number] * _noise(count, 3, size, random)
    mixed = torch.where(grey, mixed.mean(1, keepdim=True), mixed)
    return (base + amount * mixed).clamp(0, 1)


def _composed(wide: Tensor, close: Tensor, behind: Tensor, replaced: Tensor) -> tuple[Tensor, Tensor]:
    """Put samples in front of backgrounds where `replaced` (B,) is 1."""
    share = replaced.view(-1, 1, 1, 1)
    side = round(CLOSE_SIDE * SEEN_PIXELS)
    left, top = (round((middle - CLOSE_SIDE / 2) * SEEN_PIXELS) for middle in CLOSE_MIDDLE)
    near = functional.interpolate(
        behind[:, :, top : top + side, left : left + side], size=(SEEN_PIXELS, SEEN_PIXELS), mode="bilinear"
    )
    found = []
    for picture, back in ((wide, behind), (close, near)):
        over = _over(picture, back)
        found.append(torch.cat([share * over[:, :3] + (1 - share) * picture[:, :3], picture[:, 3:]], 1))
    return found[0], found[1]


def _worse_matte(matte: Tensor, random: torch.Generator) -> Tensor:
    """Return mattes (B, 1, S, S) with soft and displaced edges; some lack a piece, or have one too many."""
    count = len(matte)
    soft = functional.avg_pool2d(matte, 5, 1, 2)
    bias = 0.25 * torch.randn(count, 1, 1, 1, generator=random)
    moved = (4 * (soft - 0.5) + 0.5 + bias).clamp(0, 1)
    blob = (_noise(count, 1, 5, random) > 0.75).float() * (torch.rand(count, 1, 1, 1, generator=random) < 0.25)
    extra = (torch.rand(count, 1, 1, 1, generator=random) < 0.5).float()
    worse = moved * (1 - blob * (1 - extra)) + (1 - moved) * blob * extra
    kept = (torch.rand(count, 1, 1, 1, generator=random) < 0.3).float()
    return kept * matte + (1 - kept) * worse


def _lit(
    wide: Tensor, close: Tensor, changed: Tensor, random: torch.Generator, *, textures: bool
) -> tuple[Tensor, Tensor]:
    """Return both crops in other light where `changed` (B,): gain, gamma, tint, saturation, shades, and texture."""
    count = len(wide)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=random)

    gain, gamma = uniform(0.6, 1.25, 1, 1, 1), uniform(0.65, 1.6, 1, 1, 1)
    dark = torch.rand(count, 1, 1, 1, generator=random) < 0.15
    gain = torch.where(dark, uniform(0.3, 0.6, 1, 1, 1), gain)
    tint = uniform(0.86, 1.14, 3, 1, 1)
    saturation = uniform(0.5, 1.35, 1, 1, 1) * (torch.rand(count, 1, 1, 1, generator=random) > 0.06)
    offset = uniform(-0.08, 0.08, 1, 1, 1)
    angle, strength = uniform(0, 6.2832, 1, 1, 1), uniform(0, 0.7, 1, 1, 1) * (uniform(0, 1, 1, 1, 1) < 0.5)
    shade = 0.25 * uniform(0, 1, 1, 1, 1) * _noise(count, 1, 4, random)
    found = []
    for picture, side, (x0, y0) in ((wide, 1.0, (0.0, 0.0)), (close, CLOSE_SIDE, (0.0, 2 * CLOSE_MIDDLE[1] - 1))):
        line = torch.linspace(-1, 1, SEEN_PIXELS)
        x, y = (side * line + x0).view(1, 1, 1, -1), (side * line + y0).view(1, 1, -1, 1)
        field = 1 + 1.6 * strength * (torch.cos(angle) * x + torch.sin(angle) * y)
        local = shade if side == 1 else _zoomed(shade)
        lit = picture.clamp(1e-4, 1) ** gamma * gain * tint * field.clamp(0.15, 2) * (1 + local)
        if textures:
            grain = 0.10 * uniform(0, 1, 1, 1, 1) * torch.randn(count, 1, *picture.shape[2:], generator=random)
            lit = lit * (1 + functional.avg_pool2d(grain, 3, 1, 1) * 1.5 + 0.4 * grain)
        grey = lit.mean(1, keepdim=True)
        lit = grey + (lit - grey) * saturation + offset
        found.append(torch.where(changed.view(-1, 1, 1, 1), lit, picture).clamp(0, 1))
    return found[0], found[1]


def _zoomed(plane: Tensor) -> Tensor:
    side = round(CLOSE_SIDE * SEEN_PIXELS)
    left, top = (round((middle - CLOSE_SIDE / 2) * SEEN_PIXELS) for middle in CLOSE_MIDDLE)
    return functional.interpolate(
        plane[:, :, top : top + side, left : left + side], size=(SEEN_PIXELS, SEEN_PIXELS), mode="bilinear"
    )


def _degraded(picture: Tensor, random: torch.Generator, share: float) -> Tensor:
    """Return pictures of which some are blurred, and some noisy."""
    count = len(picture)
    half = functional.interpolate(
        functional.avg_pool2d(picture, 2), scale_factor=2.0, mode="bilinear", align_corners=False
    )
    quarter = functional.interpolate(
        functional.avg_pool2d(picture, 4), scale_factor=4.0, mode="bilinear", align_corners=False
    )
    level = torch.rand(count, 1, 1, 1, generator=random)
    blurred = torch.where(level < 0.15 * share, quarter, torch.where(level < 0.6 * share, half, picture))
    mix = torch.rand(count, 1, 1, 1, generator=random)
    soft = mix * blurred + (1 - mix) * picture
    amount = 0.05 * torch.rand(count, 1, 1, 1, generator=random) ** 2
    return (soft + amount * torch.randn(soft.shape, generator=random)).clamp(0, 1)
