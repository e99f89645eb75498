"""Sizes of a PIRenderer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

SLOPE = 0.1
"""Negative slope of every leaky ReLU."""


@dataclass(frozen=True)
class PirenderConfig:
    """Sizes of the three networks, with the paper's as defaults. They are stored in the weight file."""

    OLD_NAMES: ClassVar[Mapping[str, str]] = {"vector": "latent"}
    """Fields under their names in older weight files."""

    coefficients: int = 73
    """Channels of a window of motion descriptors."""
    latent: int = 256
    """Channels of the mapping network and of the latent vector z that it computes."""
    mapping_layers: int = 3
    warping_encoder_layers: int = 5
    warping_decoder_layers: int = 3
    warping_width: int = 32
    """Channels at full resolution; doubled at each lower level, up to `widest`."""
    editing_layers: int = 3
    editing_width: int = 64
    residual_blocks: int = 2
    """Residual blocks at each level of the editing decoder."""
    image_channels: int = 3
    widest: int = 256
    spectral_norm: bool = False
    """Whether convolutions of warping and editing networks have spectral norm, an option of the authors' training."""
    unused_branch: bool = True
    """Whether residual blocks have the layers `conv1` and `norm1`, which the published network has but does not use."""

    def width(self, base: int, level: int) -> int:
        """Return the channels at a level; 0 is full resolution."""
        return min(base << level, self.widest)

    @property
    def min_frames(self) -> int:
        """Smallest number of frames in a window of the mapping network."""
        return 7 + 6 * self.mapping_layers

    @property
    def stride(self) -> int:
        """Height and width of pictures must be multiples of this."""
        return 1 << max(self.warping_encoder_layers, self.editing_layers)
