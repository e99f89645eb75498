"""Arrays that a caller gave as source: where their pixels are in the work folder, and what a record says of them."""

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
    """Return the sha256 of the pixels in C order, as of `array.tobytes()`."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def place_of(array: NDArray[np.uint8], workspace: Workspace) -> Path:
    """Return the PNG file for an array (H, W, 3); its name follows from size and pixels."""
    height, width = array.shape[:2]
    return workspace.root / ARRAYS / f"array-{width}x{height}-{digest_of(array)[:NAME_DIGITS]}.png"


def described_input(path: Path, workspace: Workspace) -> Mapping[str, Any]:
    """Return what a record says of where an input came from: its path, or the array that it holds."""
    if path.absolute().parent != workspace.root / ARRAYS:
        return {"path": str(path)}
    array = read_image(path, NO_LIMITS)
    return {"array": {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": digest_of(array)}}
