"""Motion files: coefficients of one clip as an .npz. See docs/formats.md."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop
from facepipe.media.archive import MAX_PIXELS, crop_of, open_archive, picture_size_of, rate_of
from facepipe.spaces import MotionSpace, find_space, linear478
from facepipe.spaces.coefficients import Coefficients

FORMAT = "facepipe-coefficients"
VERSION = 2
# Kinds of the arrays that do not hold floats, and arrays that files of earlier releases lack: one shot.
KINDS, OPTIONAL = {"valid": "b", "shot": "i"}, ("shot",)
#: Version 1 called the space "basis", and linear478 "facepipe". The arrays are the same.
READABLE_VERSIONS = (1, 2)
SHOWN = 5
"""Maximum number of names of arrays in a message."""
LIMIT = 100.0
"""Largest plausible number of an array, such as shape and expression in standard deviations."""
LIMITS = {
    "angles": 4 * math.pi,
    "translation": 20.0,
    "crops": MAX_PIXELS,
    "residual": MAX_PIXELS,
    "tokens": 1e4,
    "edits": 2 * LIMIT,
}
"""Other limits: radians; half sides of the crop, and logarithms of them; pixels; units of a network; differences of two
of the arrays."""
MAX_TEXT = 100
"""Maximum length of a text in the header, in characters."""


def save_coefficients(coefficients: Coefficients, path: Path) -> None:
    """Write a motion file: arrays without pickle, and a JSON header in UTF-8. Equal content gives equal bytes."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "space": coefficients.space_name,
        "fps": str(coefficients.fps),
        "frame_count": len(coefficients),
        "valid_frames": int(coefficients.valid.sum()),
        "crop": {
            "center_x": coefficients.crop.center_x,
            "center_y": coefficients.crop.center_y,
            "side": coefficients.crop.side,
            "angle_radians": coefficients.crop.angle_radians,
        },
        "picture_size": list(coefficients.picture_size),
        **{name: getattr(coefficients, name) for name in coefficients.space.header},
    }
    arrays: dict[str, NDArray[Any]] = {
        name: np.asarray(getattr(coefficients, name)) for name in coefficients.space.arrays
    }
    arrays = {
        name: array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
        for name, array in arrays.items()
    }
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_header(path: Path) -> dict[str, Any]:
    """Return the JSON header of a motion file, with the key "space" whatever the file's version.

    Raises InputError if the file is not a motion file or was written by a later version of facepipe.
    """
    try:
        with open_archive(path) as file:
            if "header" not in file.names:
                raise InputError(_foreign(path, file.names))
            header: Any = json.loads(file.header())
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the path of a motion file (.npz).") from None
    except Exception as error:  # NumPy and its zip reader raise a dozen kinds on other or broken files
        raise InputError(
            f"{path} is not a motion file of facepipe ({_reason(error)}). `facepipe coefficients` makes one."
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(
            f"{path} is an .npz of another format, expected {FORMAT!r}. `facepipe coefficients` makes one."
        )
    if header.get("version") not in READABLE_VERSIONS:
        raise InputError(
            f"{path} has format version {header.get('version')}, but this facepipe reads versions 1 to {VERSION}. "
            "Make the file again, or update facepipe."
        )
    found = {str(key): value for key, value in header.items()}
    name = found.pop("basis", None) if header["version"] == 1 else found.get("space")
    space = find_space(str(name))
    return {**found, "space": space.name if space else name}


def _foreign(path: Path, names: list[str]) -> str:
    """Return the message for an archive that facepipe did not write."""
    shown = ", ".join(names[:SHOWN]) + (" and others" if len(names) > SHOWN else "")
    return (
        f"{path} is not a motion file of facepipe, but an archive of another program (it holds {shown or 'nothing'}). "
        "`facepipe coefficients` makes one from a picture or a video; `facepipe convert` reads the .mat, .npy and .txt "
        "of programs that it knows."
    )


def load_coefficients(
    path: Path, *, space: MotionSpace | None = linear478.SPACE, as_driver: bool = False
) -> Coefficients:
    """Read a motion file of a space, or of one that `MotionSpace.takes` accepts; None accepts every space.

    Arrays of floats are returned as float64. Raises InputError if the file is damaged or of another space.
    """
    header = read_header(path)
    found = find_space(str(header["space"]))
    if found is None or (space is not None and not space.takes(found, as_driver=as_driver)):
        wanted = space or linear478.SPACE
        raise InputError(
            f"{path} holds motion in the space {header['space']!r}, but {wanted.name!r} is needed here. "
            f"Make the file again with `facepipe coefficients --space {wanted.name}`."
        )
    try:
        count = int(header["frame_count"])
        shapes = {name: (count, *wanted[1:]) if wanted[0] is None else wanted for name, wanted in found.arrays.items()}
        with open_archive(path) as file:
            arrays: dict[str, Any] = {
                name: file.array(name, shape, KINDS.get(name, "f"))
                for name, shape in shapes.items()
                if name in file.names or name not in OPTIONAL
            }
        _check_arrays(arrays, int(header["valid_frames"]))
        fps, crop = rate_of(header["fps"]), SquareCrop(**crop_of(header))
        arrays = {
            name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in arrays.items()
        }
        further = {name: _flag_or_text(header[name]) for name in found.header}
        fields: dict[str, Any] = {
            **arrays,
            **further,
            "fps": fps,
            "crop": crop,
            "picture_size": picture_size_of(header),
        }
        return found.coefficients_class()(**fields)
    except Exception as error:  # as above, and keys that the header may lack
        raise InputError(
            f"{path} is damaged ({_reason(error)}). Make it again with `facepipe coefficients`."
        ) from error


def _flag_or_text(value: object) -> bool | str:
    return value if isinstance(value, bool) else str(value)[:MAX_TEXT]


def _check_arrays(arrays: dict[str, NDArray[Any]], valid_frames: int) -> None:
    """Raise ValueError unless the numbers can be motion of a face, and as many frames are valid as the header says."""
    for name, array in arrays.items():
        largest = float(np.abs(array).max()) if array.dtype.kind == "f" and array.size else 0.0
        if not largest <= (limit := LIMITS.get(name, LIMIT)):
            problem = f"numbers up to {largest:.3g}" if np.isfinite(largest) else "numbers that are not finite"
            raise ValueError(f"{name} holds {problem}, which is no motion of a face; expected at most {limit:g}")
    if "shot" in arrays and (np.diff(arrays["shot"]) < 0).any():
        raise ValueError("the numbers of the shots are not in ascending order")
    if not valid_frames or int(arrays["valid"].sum()) != valid_frames:
        raise ValueError(f"{arrays['valid'].sum()} frames are valid, expected {valid_frames or 'one or more'}")


def _reason(error: Exception) -> str:
    # A KeyError holds only the key.
    return f"it lacks {error.args[0]!r}" if isinstance(error, KeyError) and error.args else str(error)
