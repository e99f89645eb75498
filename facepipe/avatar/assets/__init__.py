"""Assets: hair, beards, glasses, brows, hats and earrings, made for every head as functions of its shape.

The order of types and options is that of the avatar vector. New options are appended, and a vector names them, so that
a file keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping

from facepipe.avatar.assets.asset import Asset, table
from facepipe.avatar.assets.beard import BEARDS
from facepipe.avatar.assets.brows import BROWS
from facepipe.avatar.assets.earrings import EARRINGS
from facepipe.avatar.assets.glasses import GLASSES
from facepipe.avatar.assets.hair import HAIR_STYLES
from facepipe.avatar.assets.hat import HAT_STYLES

ASSETS: Mapping[str, Mapping[str, Asset]] = {
    "hair": table(*HAIR_STYLES),
    "beard": table(*BEARDS),
    "glasses": table(*GLASSES),
    "brows": table(*BROWS),
    "hat": table(*HAT_STYLES),
    "earrings": table(*EARRINGS),
}
"""Options by type and name."""

__all__ = ["ASSETS", "Asset"]
