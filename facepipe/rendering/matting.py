"""The matting network, for frames of renderers without alpha."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from facepipe.rendering.background import Matting

NETWORK = "facepipe.face.matte:Matting"


def open_matting(weight: Path) -> Matting:
    """Return the function that finds the person in a picture, from the file of the network."""
    network = load_once(resolve_name(NETWORK), weight)
    matte: Matting = network.matte
    return matte
