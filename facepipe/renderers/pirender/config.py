"""Sizes of a PIRenderer."""

from __future__ import annotations

from dataclasses import dataclass

SLOPE = 0.1
"""Of every leaky ReLU."""


@dataclass(frozen=True)
class PirenderConfig:
    """Sizes of the three networks; the defaults are the paper's. Stored in the weight file."""

    coefficients: int = 73
    """Channels of a descriptor window."""
    vector: int = 256
    """Width of the mapping network and of the vector that it gives."""
    mapping_layers: int = 3
    warping_encoder_layers: int = 5
    warping_decoder_layers: int = 3
    warping_width: int = 32
    """Channels at full resolution; each level below has twice as many, up to `widest`."""
    editing_layers: int = 3
    editing_width: int = 64
    residual_blocks: int = 2
    """In each level of the editing decoder."""
    image_channels: int = 3
    widest: int = 256
    spectral_norm: bool = False
    """Whether the warping and editing convolutions are kept as direction and norm, as the authors' training can."""
    unused_branch: bool = True
    """Whether residual blocks hold the `conv1` and `norm1` that the published network has, and never uses."""

    def width(self, base: int, level: int) -> int:
        """Return the channels at a level, 0 being full resolution."""
        return min(base << level, self.widest)

    @property
    def least_frames(self) -> int:
        """The shortest descriptor window that the mapping network takes."""
        return 7 + 6 * self.mapping_layers

    @property
    def stride(self) -> int:
        """What height and width of a picture must be divisible by."""
        return 1 << max(self.warping_encoder_layers, self.editing_layers)
