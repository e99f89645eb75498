"""The compact implicit motion network: E_T, IMF_D, IMF_A, E_F and D_F of the paper, and a correspondence.

Attention runs at 1/8 of the picture's side and below. Its expected positions at 1/8 are an implicit correspondence: the
level of 1/4 uses that map in place of attention of its own, and the reference's pixels are carried along it. D_F blends
them with a generated picture. See docs/imf.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.renderers.imf.compact.config import CONSTANT_PIXELS, ImfCompactConfig
from facepipe.renderers.imf.compact.layers import cells, enlarged, sampled, waves
from facepipe.renderers.imf.compact.motion import Motion, MotionDecoder, TokenEncoder
from facepipe.renderers.imf.compact.picture import FeatureEncoder, FrameDecoder

# Initial gain of motion maps beside the tables of positions, and initial scale of the attention's logits.
MOTION_GAIN, SHARPNESS = 0.25, 0.4
# Bound of the refinement of positions, in half sides of the picture.
MAX_SHIFT = 0.15


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
        aligned.append(_maps(rows))
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
            coarse = _maps(shares @ self.places.float())
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
        return _maps(found[:, 0])


def _for_each(part: Tensor, count: int) -> Tensor:
    return part.expand(count, -1, -1, -1) if len(part) != count else part


def _maps(rows: Tensor) -> Tensor:
    """Arrange (B, s * s, C) as (B, C, s, s)."""
    side = math.isqrt(rows.shape[1])
    return rows.transpose(1, 2).reshape(len(rows), -1, side, side)
