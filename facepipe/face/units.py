"""The 52 face units as displacements of the face model's points, from the weight `face-units`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from facepipe.avatar.units import UNITS
from facepipe.errors import WeightsError
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.topology import POINT_COUNT
from facepipe.weights.loaded import load_once

FORMAT, WEIGHT = "face-units", "face-units"


def load_face_units(path: Path) -> NDArray[np.float64]:
    """Read the displacements (52, 478, 3), in outer-eye distances. Raises WeightsError for any other file."""
    try:
        with safe_open(path, framework="numpy") as file:
            header, offsets = file.metadata() or {}, file.get_tensor("offsets")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable {WEIGHT} file ({error}). Fetch or install it again.") from error
    expected = (len(UNITS), POINT_COUNT, 3)
    if header.get("format") != FORMAT or header.get("names") != ",".join(UNITS) or offsets.shape != expected:
        raise WeightsError(f"{path} does not hold the {len(UNITS)} face units of this version of facepipe.")
    return np.asarray(offsets, np.float64)


def face_model_of(weights: Mapping[str, Path]) -> FaceModel:
    """Return the face model of a stage, with its face units if the stage has their weight."""
    model = load_once(load_face_model, weights["face-model"])
    return replace(model, units=load_once(load_face_units, weights[WEIGHT])) if WEIGHT in weights else model
