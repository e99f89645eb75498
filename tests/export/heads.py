"""The head of the astronaut by small random networks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from facepipe.export.head import Head, load_head
from facepipe.renderers.bilayer.streaming import initialised
from tests.face.faces import face_model
from tests.renderers.bilayer.small import portrait, save_small, small_net


@lru_cache(maxsize=1)
def small_head(folder: Path) -> Head:
    """Return the head; its networks are stored in the folder."""
    source = portrait()
    prepared = dict(initialised(small_net(), source))
    # As after an enhancement that exceeds the range of pictures.
    prepared["texture"] = prepared["texture"] * 3
    return load_head(save_small(folder / "network.safetensors"), source, prepared, face_model())
