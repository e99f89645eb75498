"""Import of the face model from BFM_model_front.mat: checks, and conversion to our arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import WeightsError

Arrays = Mapping[str, NDArray[Any]]

KEYS = (
    *("meanshape", "idBase", "exBase", "meantex", "texBase", "tri", "point_buf", "tri_mask2", "keypoints"),
    *("frontmask2_idx", "skinmask"),
)
# Keys that identify related files which users may confuse with the model; the first is the original model of 2009.
OTHERS = {
    "shapePC": "the Basel Face Model of 2009 itself",
    "trimIndex": "an index file of Deep3DFaceRecon",
    "lm": "a file of landmarks",
}
MADE_BY = (
    "the first run of test.py of Deep3DFaceRecon_pytorch creates BFM_model_front.mat "
    "from the model of 2009 and Exp_Pca.bin"
)


def read_model(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a BFM_model_front.mat under the names of `facepipe.face.bfm.model.BfmModel`.

    Raises WeightsError for any other file; the message identifies related files.
    """
    return converted(_read(path), path)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat, whosmat  # noqa: PLC0415 - needed only to add the model

    try:
        with path.open("rb") as file:
            there = {name for name, _, _ in whosmat(file)}
            missing = [key for key in KEYS if key not in there]
            if missing:
                raise WeightsError(f"{path} {_description(there)}: it lacks {', '.join(missing)}; {MADE_BY}")
            return dict(loadmat(file, variable_names=KEYS))
    except WeightsError:
        raise
    except NotImplementedError as error:
        raise WeightsError(
            f"{path} is a MATLAB file of version 7.3; save it as version 7 (in MATLAB: save … -v7)"
        ) from error
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}; expected BFM_model_front.mat") from error
    except Exception as error:  # scipy's reader raises many types for foreign or damaged files
        raise WeightsError(f"{path} is not a readable MATLAB file ({error}); expected BFM_model_front.mat") from error


def _description(there: set[str]) -> str:
    known = [name for key, name in OTHERS.items() if key in there]
    return f"is {known[0]} and not BFM_model_front.mat" if known else "is not BFM_model_front.mat"


def _check_shapes(arrays: Arrays, vertices: int, path: Path | str) -> None:
    """Raise WeightsError for an array of another shape or type, or with numbers that are not finite."""
    faces, front = len(np.asarray(arrays["tri"])), len(np.asarray(arrays["tri_mask2"]))
    expected = {
        "meanshape": (1, 3 * vertices),
        "idBase": (3 * vertices, 80),
        "exBase": (3 * vertices, 64),
        "meantex": (1, 3 * vertices),
        "texBase": (3 * vertices, 80),
        "tri": (faces, 3),
        "point_buf": (vertices, 8),
        "tri_mask2": (front, 3),
        "keypoints": (1, 68),
        "skinmask": (1, vertices),
    }
    for key, shape in expected.items():
        array = np.asarray(arrays[key])
        if array.shape != shape or array.dtype.kind not in "fiu" or not vertices:
            raise WeightsError(f"{path}: {key} is {array.dtype} of shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise WeightsError(
                f"{path}: {key} contains numbers that are not finite; copy the file again or recreate it"
            )


def converted(arrays: Arrays, path: Path | str = "the model") -> dict[str, NDArray[Any]]:
    """Check the arrays of the file against each other and convert them: indices from 0, bases on the first axis.

    Raises WeightsError for wrong shapes or types, numbers that are not finite, and indices out of range.
    """
    vertices, faces = np.asarray(arrays["meanshape"]).size // 3, len(np.asarray(arrays["tri"]))
    _check_shapes(arrays, vertices, path)

    def indices(key: str, below: int) -> NDArray[np.int32]:
        array = np.asarray(arrays[key])
        if array.dtype.kind not in "fiu" or array.min(initial=1) < 1 or array.max(initial=1) > below:
            raise WeightsError(f"{path}: {key} has indices out of range, expected integers from 1 to {below}")
        return np.asarray(array, np.int32) - 1

    def basis(key: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.asarray(arrays[key], np.float32).T.reshape(-1, vertices, 3))

    mean = np.asarray(arrays["meanshape"], np.float64).reshape(-1, 3)
    arrays = {
        "mean": (mean - mean.mean(0)).astype(np.float32),
        "identity": basis("idBase"),
        "expression": basis("exBase"),
        "mean_texture": np.asarray(arrays["meantex"], np.float32).reshape(-1, 3),
        "texture": basis("texBase"),
        "triangles": indices("tri", vertices),
        # The index one past the last triangle means that there is none.
        "vertex_triangles": indices("point_buf", faces + 1),
        "front_triangles": indices("tri_mask2", vertices),
        "front": indices("frontmask2_idx", vertices).ravel(),
        "keypoints": indices("keypoints", vertices).ravel(),
        "skin": np.asarray(arrays["skinmask"], np.float32).ravel(),
    }
    # MATLAB arrays are column-major, and safetensors writes the bytes of an array in memory order.
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
