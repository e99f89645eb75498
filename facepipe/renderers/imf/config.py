"""Sizes of the networks of the implicit motion function."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

SLOPE = 0.2
"""Negative slope of every leaky ReLU."""
FIRST_SIDE = 4
"""Side of the learned constant of the token decoder, and of the last map of the token encoder."""
STEPS = (4, 8, 16, 32)
"""The side of a level's maps is that of the pictures divided by one of these."""
WINDOW = 17
"""Side of the neighbourhood in which the first level attends with "window"."""

Size = Literal["paper", "half", "quarter", "tiny"]
Norm = Literal["batch", "group"]


@dataclass(frozen=True)
class ImfConfig:
    """Sizes and readings; the defaults are the published ones (Gao et al., CVPR 2024), in reading B of the widths.

    The levels are the resolutions at which the source is aligned, from fine to coarse. Those whose maps would be below
    4 pixels do not exist. Raises ValueError for sizes that do not fit together.
    """

    SIZES: ClassVar[dict[Size, dict[str, Any]]] = {
        "paper": {},
        "half": {"width": 32, "value_projection": "none"},
        "quarter": {"width": 16, "heads": 4, "value_projection": "none"},
        "tiny": {"side_pixels": 64, "width": 8, "token_size": 16, "depth": 1, "heads": 2, "value_projection": "none"},
    }

    side_pixels: int = 256
    width: int = 64
    """Channels at full resolution; all others are multiples of them."""
    token_size: int = 32
    depth: int = 4
    """Transformer blocks of a level."""
    heads: int = 8
    value_projection: Literal["none", "linear"] = "linear"
    """Width of aligned features: "none" is that of the encoder (reading A), "linear" that of motion features (B)."""
    positions: Literal["learned", "sine"] = "learned"
    """Position embeddings of queries and keys: tables that are learned, or fixed sines and cosines."""
    first_level: Literal["full", "shared", "window"] = "full"
    """Attention of the finest level: to all pixels, by the map of the second level, or to a neighbourhood."""
    norm: Norm = "batch"
    """Norms of the encoder of features and of the frame decoder; "group" for batches of fewer than 4."""
    active_token_layers: bool = False
    """Whether the linear layers of the token encoder, except the last, have an activation."""

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise ValueError(fault)

    def _faults(self) -> Iterator[str]:
        side = self.side_pixels
        if side < 16 or side & (side - 1):
            yield f"side_pixels is {side}, expected a power of two of at least 16"
        for name in ("width", "token_size", "depth", "heads"):
            if getattr(self, name) < 1:
                yield f"{name} is {getattr(self, name)}, expected at least 1"
        if self.width % 4:
            yield f"width is {self.width}, expected a multiple of 4"
        if any(width % self.heads for width in self.aligned_widths):
            yield f"heads is {self.heads}, expected a divisor of the widths {self.aligned_widths}"
        choices = {
            "value_projection": ("none", "linear"),
            "positions": ("learned", "sine"),
            "first_level": ("full", "shared", "window"),
            "norm": ("batch", "group"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                yield f"{name} is {getattr(self, name)!r}, expected {' or '.join(allowed)}"
        if self.first_level == "shared" and len(self.level_sides) == 1:
            yield f"side_pixels is {side}, at which there is one level, expected first_level to be full or window"

    @classmethod
    def of(cls, size: Size, **changes: Any) -> ImfConfig:
        """Return the config of a size, with fields changed."""
        return dataclasses.replace(cls(**cls.SIZES[size]), **changes)

    @property
    def widest(self) -> int:
        """Channels of the coarse maps."""
        return 8 * self.width

    @property
    def level_sides(self) -> tuple[int, ...]:
        """Sides of the maps of all levels, from fine to coarse."""
        return tuple(self.side_pixels // step for step in STEPS if self.side_pixels // step >= FIRST_SIDE)

    @property
    def feature_widths(self) -> tuple[int, ...]:
        """Channels of the source's features at each level."""
        return tuple(self.width * times for times in (2, 4, 8, 8)[: len(self.level_sides)])

    @property
    def motion_widths(self) -> tuple[int, ...]:
        """Channels of motion features at each level."""
        return tuple(self.width * times for times in (4, 8, 8, 8)[: len(self.level_sides)])

    @property
    def aligned_widths(self) -> tuple[int, ...]:
        """Channels of aligned features at each level."""
        return self.feature_widths if self.value_projection == "none" else self.motion_widths

    @property
    def trunk_widths(self) -> tuple[int, ...]:
        """Channels of the token decoder at 4, 8, ... pixels, up to the finest level."""
        doublings = self.level_sides[0].bit_length() - FIRST_SIDE.bit_length()
        return (*[self.widest] * doublings, self.motion_widths[0])

    @property
    def token_widths(self) -> tuple[int, ...]:
        """Channels of the token encoder at full resolution and after each halving, down to 4 pixels."""
        halvings = self.side_pixels.bit_length() - FIRST_SIDE.bit_length()
        return tuple(self.width * (1, 1, 2, 4, 8)[min(place, 4)] for place in range(halvings + 1))
