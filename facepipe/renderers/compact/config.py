"""Sizes of the compact network; stored in the weight file, so that a file tells how to build its net."""

from __future__ import annotations

from dataclasses import dataclass

# What a motion is told by: 64 expressions, 3 angles in radians, and translation x, y, z of the crop.
MOTION_CHANNELS = 64 + 3 + 3
# What the prior tells of each pixel beside its picture; see `facepipe.renderers.compact.hints`.
HINT_CHANNELS = 9


@dataclass(frozen=True)
class CompactConfig:
    """Widths of the three networks. No layer runs at the picture's own resolution: it is shuffled in and out."""

    side_pixels: int = 256
    """What the networks look at; pictures of another size are drawn by what they say of one of this size."""
    motion_channels: int = MOTION_CHANNELS
    descriptor: int = 128
    """Numbers of the vector that drives every AdaIN."""
    warp_widths: tuple[int, ...] = (32, 64, 96)
    """Channels of the warping network at 1/4, 1/8 and 1/16 of the picture."""
    edit_widths: tuple[int, ...] = (32, 64, 96)
    """Channels of the editing network at 1/2, 1/4 and 1/8 of the picture."""
    edit_blocks: tuple[int, ...] = (0, 1, 2)
    """Residual blocks of the editing network at each of its resolutions."""
    most_shift: float = 0.15
    """How far the warping network may move a pixel beyond the mesh's flow, in sides of the picture."""
    most_detail: float = 0.05
    """How much detail is painted on skin that the source shows, where 2 is from black to white."""
    most_shade: float = 0.2
    """How much the inside of a mouth is shaded."""
