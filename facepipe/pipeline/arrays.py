"""Arrays as sources: their PNG files in the work folder, and their entries in records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine import Workspace
from facepipe.engine.workspace import ARRAYS
from facepipe.media.image import read_image
from facepipe.media.limits import NO_LIMITS

NAME_DIGITS = 16


def digest_of(array: NDArray[np.uint8]) -> str:
    """Return the sha256 of the pixels in C order, that is, of `array.tobytes()`."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def place_of(array: NDArray[np.uint8], workspace: Workspace) -> Path:
    """Return the path of the PNG file of an array (H, W, 3); the name is derived from size and pixels."""
    height, width = array.shape[:2]
    return workspace.root / ARRAYS / f"array-{width}x{height}-{digest_of(array)[:NAME_DIGITS]}.png"


def described_input(path: Path, workspace: Workspace) -> Mapping[str, Any]:
    """Return the entry of an input in a record: its path, or the shape, dtype and digest of its array."""
    if path.absolute().parent != workspace.root / ARRAYS:
        return {"path": str(path)}
    array = read_image(path, NO_LIMITS)
    return {"array": {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": digest_of(array)}}
