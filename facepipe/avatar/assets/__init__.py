"""Assets: hair, beards, glasses, brows, hats and earrings, made for every head as functions of its shape.

The order of types and options is that of the avatar vector. New options are appended, and a vector names them, so that
a file keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping

from facepipe.avatar.assets.asset import Asset, nothing, table

ASSETS: Mapping[str, Mapping[str, Asset]] = {
    "hair": table(Asset("hair", "none", nothing)),
    "beard": table(Asset("beard", "none", nothing)),
    "glasses": table(Asset("glasses", "none", nothing)),
    "brows": table(Asset("brows", "none", nothing)),
    "hat": table(Asset("hat", "none", nothing)),
    "earrings": table(Asset("earrings", "none", nothing)),
}
"""Options by type and name."""

__all__ = ["ASSETS", "Asset"]
