"""Sources in memory: an array is stored as a PNG file in the work folder, which stages read like other files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facepipe.engine import Workspace
from facepipe.engine.disk import disk_errors, make_folder
from facepipe.errors import InputError, UsageError
from facepipe.media.image import read_image, write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.pipeline.arrays import place_of

if TYPE_CHECKING:
    from facepipe.settings import Settings

SMALLEST_PIXELS = 16


def as_files(source: Any, settings: Settings, work: str | os.PathLike[str] | None) -> Any:
    """Replace each array in a source by the path of a PNG file with its pixels. Paths are returned unchanged."""
    root = Path(work or settings.work.folder)
    if isinstance(source, list | tuple):
        return tuple(_as_file(one, root) for one in source)
    return _as_file(source, root)


def _as_file(source: Any, root: Path) -> Any:
    if isinstance(source, str | os.PathLike):
        return source
    array = checked(source)
    workspace = Workspace(root)
    path = place_of(array, workspace)
    if not _holds(path, array):
        workspace.precheck()
        with disk_errors(path.parent):
            make_folder(path.parent)
        write_image(path, array)
    return path


def _holds(path: Path, array: np.ndarray) -> bool:
    try:
        return np.array_equal(read_image(path, NO_LIMITS), array)
    except InputError:  # not there, or damaged
        return False


def checked(source: Any) -> np.ndarray:
    """Return the source as an array (H, W, 3) of uint8. Raises UsageError, which explains how to convert it."""
    if not (hasattr(source, "__array__") or hasattr(source, "__array_interface__")):
        raise UsageError(f"source is a {type(source).__name__}, expected a path or an array (H, W, 3) of uint8")
    array = np.asarray(source)
    came = f"source is an array of shape {array.shape} and dtype {array.dtype}"
    if array.ndim != 3 or array.shape[2] != 3:
        remedy = _layout_remedy(array)
        raise UsageError(f"{came}, expected (H, W, 3) RGB{remedy}")
    if array.dtype != np.uint8:
        floats = np.issubdtype(array.dtype, np.floating)
        remedy = "; convert floats in [0, 1] with (source * 255).round().astype('uint8')" if floats else ""
        raise UsageError(f"{came}, expected uint8{remedy}")
    if min(array.shape[:2]) < SMALLEST_PIXELS:
        raise UsageError(f"{came}, expected at least {SMALLEST_PIXELS} pixels in height and width")
    return array


def _layout_remedy(array: np.ndarray) -> str:
    if array.ndim == 3 and array.shape[0] == 3:
        return "; convert (3, H, W) with source.transpose(1, 2, 0)"
    if array.ndim == 3 and array.shape[2] == 4:
        return "; remove alpha with source[..., :3]"
    if array.ndim == 2:
        return "; convert grey with numpy.stack([source] * 3, axis=-1)"
    return ""
