"""Facepipe's own codec as the commands `facepipe encode` and `facepipe decode`."""

from __future__ import annotations

from facepipe.evaluate.codec.coding import Coder


def own_coders() -> list[Coder]:
    """Return the codec at its settings."""
    return []
