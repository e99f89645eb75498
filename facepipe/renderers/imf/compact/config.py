"""Sizes of the compact implicit motion network. They are stored in the weight file, so that it can be built from it."""

from __future__ import annotations

from dataclasses import dataclass

# Side of the learned constant from which the motion maps grow.
CONSTANT_PIXELS = 4


@dataclass(frozen=True)
class ImfCompactConfig:
    """Widths of the five networks. No layer runs at full resolution: pictures are pixel-unshuffled and shuffled."""

    side_pixels: int = 256
    """Side S of the pictures: a quarter of it is `CONSTANT_PIXELS` doubled len(motion_widths) - 1 times."""
    token: int = 32
    """Numbers of a token."""
    token_pixels: int = 160
    """Side to which E_T resizes its picture; a multiple of 32."""
    encoder_widths: tuple[int, ...] = (48, 96, 160, 256)
    """Channels of E_T, those of the landmarker, with whose weights its training begins."""
    encoder_depths: tuple[int, ...] = (2, 3, 3, 2)
    encoder_expansion: int = 2
    encoder_head: int = 64
    motion_widths: tuple[int, ...] = (160, 160, 128, 96, 48)
    """Channels of IMF_D at 4, 8, 16, 32 and 64 pixels (S = 256)."""
    key: int = 64
    """Channels of queries and keys of IMF_A; a multiple of 4."""
    feature_widths: tuple[int, ...] = (24, 48, 96, 128, 128)
    """Channels of E_F at 1/2, 1/4, 1/8, 1/16 and 1/32 of S."""
    frame_widths: tuple[int, ...] = (32, 48, 64, 96, 96)
    """Channels of D_F at 1/2, 1/4, 1/8, 1/16 and 1/32 of S."""
