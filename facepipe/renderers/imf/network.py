"""What every network of an implicit motion function offers, whatever its sizes and layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor


class ImfNetwork(Protocol):
    """Draws a person of one picture, the source, in the motion that tokens describe. S is `side_pixels`."""

    @property
    def token_size(self) -> int:
        """Numbers per token."""

    @property
    def side_pixels(self) -> int:
        """Width and height of the pictures."""

    def token(self, pictures: Tensor) -> Tensor:
        """Return the tokens (B, token_size) of pictures (B, 3, S, S) in [-1, 1]. Tokens are not bounded."""

    def prepare(self, source: Tensor) -> dict[str, Tensor]:
        """Return what depends on the source (1, 3, S, S) in [-1, 1] alone, by name: its features, keys and token."""

    def render(self, prepared: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Return pictures (B, 3, S, S) in [-1, 1] of a prepared source in the motion of tokens (B, token_size)."""
