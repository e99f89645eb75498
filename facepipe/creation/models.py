"""The models that make avatars from portraits, from their weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facepipe.creation.creation import Models
from facepipe.errors import ToolError


def open_models(weights: Mapping[str, Path]) -> Models:
    """Return the models of weight files by registry name (MAPPER, IMITATOR).

    With CODE_MAPPER in place of MAPPER, the mapper takes W+ codes.
    """
    raise ToolError(f"facepipe reads no networks for avatars from portraits yet; got {', '.join(weights)}")
