"""Reading and writing coefficient files of published programs.

- PIRenderer `.mat`, one per clip: `coeff` (N, 257) and `transform_params` (N, 5), which are width and height of the
  frame, then scale, x and y of the alignment.
- Deep3DFaceRecon `.mat`: `id`, `exp`, `tex`, `angle`, `gamma`, `trans`, without an alignment.
- PIRenderer `.txt`, one per picture: 262 numbers, one per line, in the order of `coeff` and `transform_params`.
- DreamTalk `.npy`: (N, 73) expression, angles, translation and alignment.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import FacepipeError, InputError
from facepipe.face.bfm.alignment import align_without_face
from facepipe.face.bfm.estimation import FRAME_PIXELS
from facepipe.face.bfm.layout import COUNT, GROUPS, Row, split
from facepipe.face.cropping import SquareCrop
from facepipe.spaces.bfm.coefficients import BfmCoefficients

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.floating]

#: Deep3DFaceRecon's name for each group of coefficients.
DEEP3D_KEYS = {
    "identity": "id",
    "expression": "exp",
    "texture": "tex",
    "angles": "angle",
    "lighting": "gamma",
    "translation": "trans",
}
NUMBERS_OF_TEXT = COUNT + 5
MOTION_COUNT = 73
READ = (".mat", ".txt", ".npy")
WRITTEN = (".mat", ".txt")


def read_official(path: Path, fps: Fraction) -> BfmCoefficients:
    """Read a published coefficient file of any of these formats. The formats do not contain a rate, so `fps` gives it.

    Raises InputError for files that do not exist and for other content.
    """
    try:
        rows, transforms = _read(path)
        return _coefficients(rows, _crops(transforms, len(rows)), fps)
    except FacepipeError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the path of a published coefficient file.") from None
    except Exception as error:  # NumPy's and scipy's readers raise a dozen kinds on other or broken files
        raise InputError(
            f"{path} is not a published coefficient file ({error}). docs/official.md lists the formats."
        ) from error


def _read(path: Path) -> tuple[Floats, Floats | None]:
    """Return (N, 257) rows, and (N, 5) transforms if the file contains them."""
    if path.suffix == ".mat":
        from scipy.io import loadmat  # noqa: PLC0415 - slow to import, and needed only for these files

        with path.open("rb") as file:
            return _of_mat(loadmat(file))
    if path.suffix == ".npy":
        return _of_motion(np.load(path, allow_pickle=False))
    numbers = np.array(path.read_text("utf-8-sig").split(), np.float64)
    if len(numbers) != NUMBERS_OF_TEXT:
        raise ValueError(f"{len(numbers)} numbers, expected {NUMBERS_OF_TEXT}")
    return numbers[None, :COUNT], numbers[None, COUNT:]


def _of_mat(arrays: Arrays) -> tuple[Floats, Floats | None]:
    if "coeff" in arrays:
        return np.asarray(arrays["coeff"], float), np.asarray(arrays["transform_params"], float)
    if missing := [key for key in DEEP3D_KEYS.values() if key not in arrays]:
        raise ValueError(f"neither coeff nor {', '.join(missing)} found")
    return np.concatenate([np.asarray(arrays[DEEP3D_KEYS[name]], float) for name in GROUPS], axis=1), None


def _of_motion(motion: NDArray[Any]) -> tuple[Floats, Floats]:
    if motion.ndim != 2 or motion.shape[1] != MOTION_COUNT:
        raise ValueError(f"an array of shape {motion.shape}, expected (N, {MOTION_COUNT})")
    rows = np.zeros((len(motion), COUNT))
    for name, first in (("expression", 0), ("angles", 64), ("translation", 67)):
        group = GROUPS[name]
        rows[:, group] = motion[:, first : first + group.stop - group.start]
    frame = np.full((len(motion), 2), float(FRAME_PIXELS))
    return rows, np.concatenate([frame, motion[:, 70:]], axis=1)


def _crops(transforms: Floats | None, count: int) -> Floats:
    """Return (T, 3) alignments in a 256-pixel frame. Without transforms, the face is assumed to fill the frame."""
    if transforms is None:
        return np.tile(align_without_face((FRAME_PIXELS, FRAME_PIXELS)).triple, (count, 1))
    if transforms.shape != (count, 5):
        raise ValueError(f"transforms of shape {transforms.shape}, expected ({count}, 5)")
    width, height, scale, x, y = transforms.T
    if not (width == height).all() or not (width > 0).all() or not (scale > 0).all():
        raise ValueError("the frames of the alignments are not square: crop to the face at 256x256 first")
    ratio = FRAME_PIXELS / width
    return np.stack([scale / ratio, x * ratio, y * ratio], axis=1)


def _coefficients(rows: Floats, crops: Floats, fps: Fraction) -> BfmCoefficients:
    if not len(rows) or not np.isfinite(rows).all() or not np.isfinite(crops).all():
        raise ValueError("there are no frames, or some numbers are not finite")
    groups, middle = split(rows), FRAME_PIXELS / 2 - 0.5
    return BfmCoefficients(
        **{name: getattr(groups, name) for name in GROUPS},
        crops=crops,
        valid=np.ones(len(rows), bool),
        residual=np.zeros(len(rows)),
        fps=fps,
        crop=SquareCrop(middle, middle, float(FRAME_PIXELS)),
        picture_size=(FRAME_PIXELS, FRAME_PIXELS),
    )


def write_official(coefficients: BfmCoefficients, path: Path) -> None:
    """Write a PIRenderer `.mat` or, for a single frame, a `.txt`. Raises InputError for several frames in a `.txt`."""
    rows = Row(**{name: getattr(coefficients, name) for name in GROUPS}).joined()
    frame = np.full((len(rows), 2), float(FRAME_PIXELS))
    transforms = np.concatenate([frame, coefficients.crops], axis=1)
    if path.suffix == ".mat":
        from scipy.io import savemat  # noqa: PLC0415 - as above

        with path.open("wb") as file:
            savemat(file, {"coeff": rows.astype(np.float32), "transform_params": transforms.astype(np.float32)})
        return
    if len(rows) != 1:
        raise InputError(f"A .txt file contains one frame, but there are {len(rows)}. Use a name ending in .mat.")
    numbers = np.concatenate([rows[0], transforms[0]]).astype(np.float32)
    path.write_text("".join(f"{number:.9g}\n" for number in numbers), "utf-8")
