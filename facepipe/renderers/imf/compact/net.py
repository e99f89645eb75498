"""The compact implicit motion network: E_T, IMF_D, IMF_A, E_F and D_F of the paper, and a correspondence.

Attention runs at 1/8 of the picture's side and below. Its expected positions at 1/8 are an implicit correspondence: the
level of 1/4 uses that map in place of attention of its own, and the reference's pixels are carried along it. D_F blends
them with a generated picture. See docs/imf.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.blocks import fold_norms
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.imf.compact.config import CONSTANT_PIXELS, ImfCompactConfig
from facepipe.renderers.imf.compact.layers import (
    Residual,
    StyledConv,
    activated,
    cells,
    doubled,
    reduced,
    sampled,
    waves,
)

# Initial gain of motion maps beside the tables of positions, and initial scale of the attention's logits.
MOTION_GAIN, SHARPNESS = 0.25, 0.4
# Initial logit of the carried pixels' share in the picture.
CARRIED_LOGIT = 1.0
# Bound of the refinement of positions, in half sides of the picture.
MAX_SHIFT = 0.15


class Motion(NamedTuple):
    """Motion maps of a batch of tokens."""

    keys: tuple[Tensor, ...]
    """(B, key, s, s) with s from 8 to S / 8: the side branches of IMF_D."""
    fine: Tensor
    """(B, C, S / 4, S / 4)"""


class Placed(NamedTuple):
    """The correspondence of a batch: where the pixels of the current frame are in the reference."""

    shares: Tensor
    """(B, N, N) float32, attention of each of the N = (S / 8)^2 cells to those of the reference."""
    coarse: Tensor
    """(B, 2, S / 8, S / 8) float32, their expected positions x and y; -1 and 1 are the picture's edges."""
    position: Tensor
    """(B, 2, S / 4, S / 4) float32, refined."""


class Made(NamedTuple):
    """A batch of rendered frames."""

    picture: Tensor
    """(B, 3, S, S) in about [-1, 1]."""
    carried: Tensor
    """(B, 3, S, S), pixels of the reference."""
    generated: Tensor
    """(B, 3, S, S)"""
    share: Tensor
    """(B, 1, S, S), share of the carried pixels."""
    placed: Placed


class TokenEncoder(nn.Module):
    """E_T: the token of one frame. Its convolutions are those of the landmarker, its last layer is linear."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        side = config.token_pixels
        sizes = LandmarkerConfig(
            side, config.encoder_widths, config.encoder_depths, config.encoder_expansion, config.encoder_head, 1
        )
        # Batch norms would only cost time: the landmarker's are folded when its weights are taken over.
        self.features = fold_norms(Landmarker(sizes)).features
        self.side = side
        self.linear = nn.Linear(
            config.encoder_head * (side // 2 ** (len(config.encoder_widths) + 1)) ** 2, config.token
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, S, S) pictures in [-1, 1] to (B, token) float32."""
        features = self.features(reduced(pictures, self.side)).flatten(1)
        with torch.autocast(features.device.type, enabled=False):
            token: Tensor = self.linear(features.to(self.linear.weight.dtype))
        return token.float()


class MotionDecoder(nn.Module):
    """IMF_D: motion maps from a token, by styled convolutions from a learned constant."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        widths, token = config.motion_widths, config.token
        self.constant = nn.Parameter(torch.randn(1, widths[0], CONSTANT_PIXELS, CONSTANT_PIXELS))
        self.first = StyledConv(widths[0], widths[0], token)
        self.enter = nn.ModuleList(StyledConv(low, high, token) for low, high in pairwise(widths))
        self.trunk = nn.ModuleList(StyledConv(width, width, token) for width in widths[1:])
        self.sides = nn.ModuleList(StyledConv(width, config.key, token) for width in widths[1:-1])

    def forward(self, token: Tensor) -> Motion:
        """Map (B, token) to motion maps."""
        token = token.float()
        constant = self.constant.expand(len(token), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x, keys = self.first(constant, token), []
        for level, (enter, trunk) in enumerate(zip(self.enter, self.trunk, strict=True)):
            x = trunk(doubled(enter(x, token)), token)
            if level < len(self.sides):
                keys.append(self.sides[level](x, token))
        return Motion(tuple(keys), x)


class FeatureEncoder(nn.Module):
    """E_F: dense features of the reference at 1/4 of its side and below."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        widths = config.feature_widths
        self.enter = nn.Conv2d(12, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(high, low, 3, 2, 1) for high, low in pairwise(widths))
        self.blocks = nn.ModuleList(Residual(width) for width in widths[1:])

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Map (B, 3, S, S) to features at 1/4, 1/8, ... of S."""
        x, taps = self.enter(functional.pixel_unshuffle(pictures, 2)), []
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(down(activated(x)))
            taps.append(x)
        return taps


class Alignment(nn.Module):
    """IMF_A at one level: attention of the current frame's motion to the reference's."""

    def __init__(self, side: int, key: int) -> None:
        super().__init__()
        self.queries, self.keys = (nn.Parameter(waves(side, key)) for _ in range(2))
        self.gain = nn.Parameter(torch.tensor(MOTION_GAIN))
        self.sharpness = nn.Parameter(torch.tensor(math.log(SHARPNESS)))

    def query(self, motion: Tensor) -> Tensor:
        """Map (B, key, s, s) of the current frame to (B, s * s, key) float32, scaled for a plain product."""
        rows = self.gain.float() * motion.flatten(2).transpose(1, 2).float() + self.queries.float()
        return self.sharpness.float().exp() * rows

    def key(self, motion: Tensor) -> Tensor:
        """Map (B, key, s, s) of the reference to (B, s * s, key) float32."""
        return self.gain.float() * motion.flatten(2).transpose(1, 2).float() + self.keys.float()


class FrameDecoder(nn.Module):
    """D_F: a generated picture and the share of the carried one, from aligned features."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        widths, features = config.frame_widths, config.feature_widths
        # From the lowest resolution upwards, as the decoder runs.
        self.joins = nn.ModuleList(
            nn.Conv2d(
                (widths[level] if level + 1 < len(widths) else 0)
                + features[level]
                + (config.motion_widths[-1] if level == 1 else config.key),
                widths[level],
                3,
                1,
                1,
            )
            for level in reversed(range(1, len(widths)))
        )
        self.blocks = nn.ModuleList(Residual(width) for width in reversed(widths[1:]))
        self.up = nn.ModuleList(nn.Conv2d(low, 4 * high, 1) for high, low in reversed(list(pairwise(widths))))
        self.enter = nn.Conv2d(widths[0] + 12, widths[0], 3, 1, 1)
        self.middle = nn.Conv2d(widths[0], widths[0], 3, 1, 1)
        self.final = nn.Conv2d(widths[0], 16, 3, 1, 1)
        with torch.no_grad():
            self.final.weight.mul_(0.1)
            self.final.bias.zero_()[12:] = CARRIED_LOGIT  # type: ignore[union-attr]

    def forward(self, aligned: list[Tensor], motion: list[Tensor], carried: Tensor) -> tuple[Tensor, Tensor]:
        """Return the generated (B, 3, S, S) and the carried picture's share, (B, 1, S, S).

        Args:
            aligned: Features of the reference in the current frame's place, from the lowest resolution to 1/4.
            motion: Motion maps of the current frame, in the same order.
            carried: (B, 3, S, S)
        """
        x: Tensor | None = None
        for features, moved, join, block, up in zip(aligned, motion, self.joins, self.blocks, self.up, strict=True):
            parts = [features, moved] if x is None else [x, features, moved]
            x = functional.pixel_shuffle(up(activated(block(join(torch.cat(parts, 1))))), 2)
        assert x is not None
        x = self.enter(torch.cat([x, functional.pixel_unshuffle(carried, 2)], 1))
        x = functional.pixel_shuffle(self.final(activated(x + self.middle(activated(x)))), 2)
        return x[:, :3], x[:, 3:].sigmoid()


class ImfCompact(nn.Module):
    """The compact implicit motion network."""

    def __init__(self, config: ImfCompactConfig) -> None:
        super().__init__()
        self.config = config
        levels = len(config.motion_widths) - 2
        self.token_encoder = TokenEncoder(config)
        self.motion_decoder = MotionDecoder(config)
        self.feature_encoder = FeatureEncoder(config)
        self.alignments = nn.ModuleList(
            Alignment(CONSTANT_PIXELS * 2 ** (level + 1), config.key) for level in range(levels)
        )
        self.frame_decoder = FrameDecoder(config)
        # The middles of the reference's cells. Learned, because an expected value never reaches the outermost middles.
        self.places = nn.Parameter(cells(CONSTANT_PIXELS * 2**levels))
        fine = config.motion_widths[-1]
        self.refine = nn.Sequential(
            nn.Conv2d(2 * fine, fine, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(fine, fine, 3, 1, 1),
            nn.LeakyReLU(0.2),
        )
        self.shift = nn.Conv2d(fine, 2, 3, 1, 1)
        nn.init.zeros_(self.shift.weight)
        nn.init.zeros_(self.shift.bias)  # type: ignore[arg-type]

    @property
    def token_size(self) -> int:
        """Return the length of a token."""
        return self.config.token

    @property
    def side_pixels(self) -> int:
        """Return the side of the pictures."""
        return self.config.side_pixels

    def token(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, S, S) pictures in [-1, 1] to (B, token) float32."""
        token: Tensor = self.token_encoder(pictures.contiguous(memory_format=torch.channels_last))
        return token

    def prepare(self, source: Tensor) -> dict[str, Tensor]:
        """Return what depends on the reference (1, 3, S, S) alone; a batch of references serves a batch of tokens."""
        source = source.contiguous(memory_format=torch.channels_last)
        token = self.token(source)
        return self.reference(source, token, self.motion_decoder(token))

    def reference(self, source: Tensor, token: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Return the same from the reference, its token and its motion maps."""
        fine, *values = self.feature_encoder(source)
        parts = {"picture": source, "token": token, "motion": motion.fine, "features": fine}
        for level, (alignment, maps) in enumerate(zip(self.alignments, motion.keys, strict=True)):
            parts[f"keys{level}"] = alignment.key(maps)  # type: ignore[operator]
            parts[f"values{level}"] = values[-1 - level]
        return parts

    def render(self, prepared: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Map what `prepare` returned and (B, token) tokens to (B, 3, S, S) pictures in [-1, 1]."""
        return self.made(prepared, self.motion_decoder(tokens)).picture.clamp(-1, 1)

    def forward(self, source: Tensor, current: Tensor) -> Tensor:
        """Render (B, 3, S, S) references in the motion of (B, 3, S, S) current frames."""
        return self.render(self.prepare(source), self.token(current))

    def made(self, prepared: Mapping[str, Tensor], motion: Motion) -> Made:
        """Render the motion maps of a batch of tokens."""
        count = len(motion.fine)
        last = len(self.alignments) - 1
        aligned = [self._attended(level, prepared, motion.keys[level]) for level in range(last)]
        placed = self.placed(prepared[f"keys{last}"], prepared["motion"], motion)
        values = prepared[f"values{last}"]
        rows = placed.shares.to(values.dtype) @ values.flatten(2).transpose(1, 2)
        aligned.append(rows.transpose(1, 2).unflatten(2, values.shape[2:]))
        aligned.append(sampled(_for_each(prepared["features"], count), placed.position))
        picture = _for_each(prepared["picture"], count)
        carried = sampled(picture, enlarged(placed.position, picture.shape[-1]))
        generated, share = self.frame_decoder(aligned, [*motion.keys, motion.fine], carried)
        whole = generated.float() + share.float() * (carried.float() - generated.float())
        return Made(whole, carried, generated, share, placed)

    def placed(self, keys: Tensor, fine: Tensor, motion: Motion) -> Placed:
        """Return the correspondence from the reference's keys at 1/8 and its motion map at 1/4."""
        alignment, maps = self.alignments[-1], motion.keys[-1]
        with torch.autocast(maps.device.type, enabled=False):
            shares = (alignment.query(maps) @ keys.transpose(1, 2)).softmax(-1)  # type: ignore[operator]
            side = maps.shape[-1]
            coarse = (shares @ self.places.float()).transpose(1, 2).unflatten(2, (side, side))
        position = enlarged(coarse, 2 * side)
        there = sampled(_for_each(fine, len(maps)), position)
        shift = self.shift(self.refine(torch.cat([motion.fine, there], 1))).float()
        return Placed(shares, coarse, position + MAX_SHIFT * shift.tanh())

    def _attended(self, level: int, prepared: Mapping[str, Tensor], maps: Tensor) -> Tensor:
        """Return the reference's features at a level, (B, C, s, s), attended by the current frame's motion."""
        values, keys = prepared[f"values{level}"], prepared[f"keys{level}"]
        query = self.alignments[level].query(maps)  # type: ignore[operator]
        kinds = values.dtype
        found = functional.scaled_dot_product_attention(
            query.to(kinds)[:, None],
            keys.to(kinds)[:, None].expand(len(query), -1, -1, -1),
            values.flatten(2).transpose(1, 2)[:, None].expand(len(query), -1, -1, -1),
            scale=1.0,
        )
        return found[:, 0].transpose(1, 2).unflatten(2, values.shape[2:])


def in_precision(net: ImfCompact, dtype: torch.dtype, device: torch.device | None = None) -> ImfCompact:
    """Move a network to a device and cast its convolutions. What computes tokens, scales and positions stays float32."""
    net = net.to(device, dtype)
    for part in net.modules():
        if isinstance(part, nn.Linear | Alignment):
            part.float()
    net.places.data = net.places.data.float()
    return net


def enlarged(position: Tensor, side: int) -> Tensor:
    """Enlarge (B, 2, s, s) positions bilinearly, extrapolating at the picture's edges."""
    # What moves nothing is linear in the place. Interpolation repeats the outermost cells, so only shifts go through it.
    few = position.shape[-1]
    own, wide = (cells(size).T.reshape(1, 2, size, size).to(position) for size in (few, side))
    shift = functional.interpolate(position - own, size=(side, side), mode="bilinear", align_corners=False)
    return wide + shift


def _for_each(part: Tensor, count: int) -> Tensor:
    return part.expand(count, -1, -1, -1) if len(part) != count else part
