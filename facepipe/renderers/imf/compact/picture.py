"""E_F and D_F: the features of the reference, and the frame from features in their new place."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.layers import Residual, activated

# Initial logit of the carried pixels' share in the picture.
CARRIED_LOGIT = 1.0


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
