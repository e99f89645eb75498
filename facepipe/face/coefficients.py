"""Coefficients of a clip: who it is, and what head and face do in each frame. See docs/formats.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.face.bfm import BASIS as BFM
from facepipe.face.bfm.layout import Row, split
from facepipe.face.cropping import SquareCrop
from facepipe.face.fitting import Fit
from facepipe.face.model import BASIS
from facepipe.face.pose import Similarity, angles_of, rotation_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from facepipe.face.bfm.estimation import Estimate

FORMAT = "facepipe-coefficients"
VERSION = 1
#: By basis, the arrays of a file and their shapes; None stands for the number of frames.
COMMON = {
    "expression": (None, 64),
    "angles": (None, 3),
    "translation": (None, 3),
    "valid": (None,),
    "residual": (None,),
}
ARRAYS: Mapping[str, Mapping[str, tuple[int | None, ...]]] = {
    BASIS: {"identity": (80,), **COMMON},
    BFM: {"identity": (None, 80), "texture": (None, 80), "lighting": (None, 27), "crops": (None, 3), **COMMON},
}
Floats = NDArray[np.floating]


def _per_frame(basis: str) -> list[str]:
    return [name for name, shape in ARRAYS[basis].items() if shape[0] is None]


@dataclass(frozen=True)
class Coefficients:
    """Coefficients of T frames in the basis `facepipe`; `BfmCoefficients` are those in the other."""

    identity: Floats
    """(80,)"""
    expression: Floats
    """(T, 64)"""
    angles: Floats
    """(T, 3) pitch, yaw, roll in radians; axes in `facepipe.face.pose`."""
    translation: Floats
    """(T, 3): x, y of the model's origin from the middle of the crop, in half sides of the crop, x right, y down; z the
    natural logarithm of the length of the model's unit in half sides."""
    valid: NDArray[np.bool_]
    """(T,) frames in which a face was found; the others hold what the nearest such frame holds."""
    residual: Floats
    """(T,) mean distance of model and landmarks, in outer-eye distances."""
    fps: Fraction
    crop: SquareCrop
    """Where the crop lies in the picture, in its pixels."""
    picture_size: tuple[int, int]
    """Width and height of the picture in pixels."""
    basis: str = BASIS

    def __len__(self) -> int:
        return len(self.expression)

    def pose(self, size_pixels: int) -> Similarity:
        """Return the poses in a crop of `size_pixels`; in the basis `facepipe` only."""
        assert self.basis == BASIS, "a head in another basis is seen by another camera"
        half, middle = size_pixels / 2, (size_pixels - 1) / 2
        shift = np.concatenate([middle + half * self.translation[:, :2], np.zeros((len(self), 1))], axis=1)
        return Similarity(
            scale=half * np.exp(self.translation[:, 2]), rotation=rotation_of(self.angles), translation=shift
        )

    def rows(self, first: int, end: int) -> Self:
        """Return frames `first` up to `end`, left out."""
        return self.taken(np.arange(first, min(end, len(self))))

    def repeated(self, count: int) -> Self:
        """Return the first frame `count` times."""
        return self.taken(np.zeros(count, int))

    def without(self, frames: NDArray[np.bool_]) -> Self:
        """Return these coefficients less the marked frames."""
        return self.taken(np.flatnonzero(~frames))

    def taken(self, index: NDArray[np.intp]) -> Self:
        """Return the frames of an index, in its order."""
        return replace(self, **{name: getattr(self, name)[index] for name in _per_frame(self.basis)})

    def with_motion(self, expression: Floats, angles: Floats, translation: Floats) -> Self:
        """Return these coefficients with other motion of as many frames."""
        return replace(self, expression=expression, angles=angles, translation=translation)


@dataclass(frozen=True, kw_only=True)
class BfmCoefficients(Coefficients):
    """Coefficients of T frames in the basis `bfm`; groups and axes in `facepipe.face.bfm.layout`.

    `identity` is (T, 80), estimated anew in each frame, and `translation` is that within the aligned square.
    `picture_size` is that of the picture; what the coefficients were estimated from is its crop at 256x256.
    """

    texture: Floats
    """(T, 80)"""
    lighting: Floats
    """(T, 27)"""
    crops: Floats
    """(T, 3) scale, x and y of the alignment in the crop of 256x256 pixels; y up from the bottom row."""
    basis: str = BFM

    def descriptor_rows(self) -> Floats:
        """Return (T, 73): expression, angles, translation, crop."""
        return np.concatenate([self.expression, self.angles, self.translation, self.crops], axis=1)


def joined(parts: Iterable[Coefficients], count: int) -> Coefficients:
    """Return coefficients that come in parts of one face, `count` frames in all, in the precision of files.

    Beside the whole only one part is held.
    """
    made = 0
    whole: dict[str, Any] = {}
    for part in parts:
        for name in _per_frame(part.basis):
            rows = getattr(part, name)
            kind = bool if rows.dtype.kind == "b" else np.float32
            whole.setdefault(name, np.empty((count, *rows.shape[1:]), kind))[made : made + len(part)] = rows
        made += len(part)
    assert made == count, f"{made} frames of {count}"
    return replace(part, **whole)


CLASSES: Mapping[str, type[Coefficients]] = {BASIS: Coefficients, BFM: BfmCoefficients}


def from_fit(
    fit: Fit, valid: NDArray[np.bool_], *, fps: Fraction, crop: SquareCrop, picture_size: tuple[int, int]
) -> Coefficients:
    """Express a fit to points in pixels of the picture relative to a crop."""
    half = crop.side / 2
    turned = rotation_of(np.array([[0.0, 0.0, -crop.angle_radians]]))[0]
    origin = (fit.pose.translation - (crop.center_x, crop.center_y, 0)) @ turned.T / half
    return Coefficients(
        identity=fit.identity,
        expression=fit.expression,
        angles=angles_of(turned @ fit.pose.rotation),
        translation=np.concatenate([origin[:, :2], np.log(fit.pose.scale / half)[:, None]], axis=1),
        valid=np.asarray(valid, bool),
        residual=fit.residual,
        fps=fps,
        crop=crop,
        picture_size=picture_size,
    )


def from_estimate(
    found: Estimate, *, fps: Fraction, crop: SquareCrop, picture_size: tuple[int, int]
) -> BfmCoefficients:
    """Name the parts of what was estimated in the crops of 256x256 pixels."""
    groups = split(found.rows)
    return BfmCoefficients(
        **{one.name: getattr(groups, one.name) for one in fields(Row)},
        crops=found.crops,
        valid=found.valid,
        residual=found.residual,
        fps=fps,
        crop=crop,
        picture_size=picture_size,
    )


def save_coefficients(coefficients: Coefficients, path: Path) -> None:
    """Write a coefficient file: arrays without pickle, and a JSON header as UTF-8. The same content, the same bytes."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "basis": coefficients.basis,
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
    }
    arrays: dict[str, NDArray[Any]] = {
        name: np.asarray(getattr(coefficients, name)) for name in ARRAYS[coefficients.basis]
    }
    arrays = {
        name: array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
        for name, array in arrays.items()
    }
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_header(path: Path) -> dict[str, Any]:
    """Return the JSON header of a coefficient file. Raises InputError when it is none, or of a later version."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header: Any = json.loads(file["header"].tobytes())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the path of a coefficient file (.npz).") from None
    except Exception as error:  # NumPy and its zip reader raise a dozen kinds on what is none, or broken
        raise InputError(
            f"{path} is no coefficient file of facepipe ({_told(error)}). `facepipe coefficients` makes one."
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(
            f"{path} is an .npz of something else, expected format {FORMAT!r}. `facepipe coefficients` makes one."
        )
    if header.get("version") != VERSION:
        raise InputError(
            f"{path} has format version {header.get('version')}, this facepipe reads version {VERSION}. "
            "Make it again, or update facepipe."
        )
    return {str(key): value for key, value in header.items()}


def load_coefficients(path: Path, *, basis: str | None = BASIS) -> Coefficients:
    """Read a coefficient file; one of basis `bfm` gives BfmCoefficients.

    Raises InputError when it is damaged or, with `basis` given, of another basis; None takes any that there is.
    """
    header = read_header(path)
    if header.get("basis") != basis and (basis is not None or header.get("basis") not in ARRAYS):
        wanted = basis or BASIS
        raise InputError(
            f"{path} holds coefficients of basis {header.get('basis')!r}, but {wanted!r} is needed here. "
            f"Make them again with `facepipe coefficients --basis {wanted}`."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS[header["basis"]]}
        _check_arrays(arrays, header["basis"], int(header["frame_count"]), int(header["valid_frames"]))
        fps, crop = Fraction(header["fps"]), SquareCrop(**{key: float(value) for key, value in header["crop"].items()})
        if fps <= 0 or not crop.side > 0 or not np.isfinite([crop.center_x, crop.center_y, crop.angle_radians]).all():
            raise ValueError(f"a rate of {fps} frames/s, or a crop that is no square")
        arrays = {
            name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in arrays.items()
        }
        return CLASSES[header["basis"]](
            **arrays,
            fps=fps,
            crop=crop,
            picture_size=(int(header["picture_size"][0]), int(header["picture_size"][1])),
            basis=header["basis"],
        )
    except Exception as error:  # as above, and what the header may lack
        raise InputError(f"{path} is damaged ({_told(error)}). Make it again with `facepipe coefficients`.") from error


def _check_arrays(arrays: dict[str, NDArray[Any]], basis: str, count: int, valid_frames: int) -> None:
    """Raise ValueError unless the arrays are what the header says."""
    for name, wanted in ARRAYS[basis].items():
        shape = tuple(count if length is None else length for length in wanted)
        array, kind = arrays[name], "b" if name == "valid" else "f"
        if array.shape != shape or array.dtype.kind != kind:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected shape {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    if not valid_frames or int(arrays["valid"].sum()) != valid_frames:
        raise ValueError(f"{arrays['valid'].sum()} frames are valid, expected {valid_frames or 'one or more'}")


def _told(error: Exception) -> str:
    # A KeyError says no more than the key.
    return f"it lacks {error.args[0]!r}" if isinstance(error, KeyError) and error.args else str(error)
