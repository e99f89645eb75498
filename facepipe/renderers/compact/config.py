"""Sizes of the compact network. They are stored in the weight file, so that the network can be built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

# A row of motion: 64 expression coefficients, 3 angles in radians, and translation x, y, z of the crop.
MOTION_CHANNELS = 64 + 3 + 3


@dataclass(frozen=True)
class CompactConfig:
    """Widths of the three networks. No layer runs at full resolution: pictures are pixel-unshuffled and shuffled."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {
        "descriptor": "latent",
        "most_shift": "max_shift",
        "most_detail": "max_detail",
        "most_shade": "max_shade",
    }
    """Fields under their names in older weight files."""

    side_pixels: int = 256
    """Side of the networks' input. For other sizes, inputs are resized to it and the outputs back."""
    motion_channels: int = MOTION_CHANNELS
    latent: int = 128
    """Channels of the latent vector that modulates every AdaIN."""
    warp_widths: tuple[int, ...] = (32, 64, 96)
    """Channels of the warping network at 1/4, 1/8 and 1/16 of the picture's side."""
    edit_widths: tuple[int, ...] = (32, 64, 96)
    """Channels of the editing network at 1/2, 1/4 and 1/8 of the picture's side."""
    edit_blocks: tuple[int, ...] = (0, 1, 2)
    """Residual blocks of the editing network at each of its resolutions."""
    max_shift: float = 0.15
    """Bound of the correction of the mesh's flow, as a fraction of the picture's side, in x and in y."""
    max_detail: float = 0.05
    """Bound of the generated detail on skin that the source shows, and inside the mouth; pictures are in [-1, 1]."""
    max_shade: float = 0.2
    """Bound of the generated low frequencies inside the mouth; pictures are in [-1, 1]."""
