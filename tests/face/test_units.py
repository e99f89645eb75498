"""The face units of the weight `face-units`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facepipe import weights
from facepipe.avatar.units import UNITS
from facepipe.errors import WeightsError
from facepipe.face import topology as at
from facepipe.face.units import face_model_of, load_face_units
from facepipe.spaces.arkit52.coefficients import resting
from facepipe.spaces.arkit52.fitting import fitted
from facepipe.train.face_units import mirrored_name

MODEL = face_model_of({name: weights.find(name).path for name in ("face-model", "face-units")})


def test_the_space_needs_its_weight(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="face-units"):
        fitted(resting(1), replace(MODEL, units=None))
    with pytest.raises(WeightsError, match=r"does not hold the 52 face units|not a readable"):
        load_face_units(weights.find("face-model").path)
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="not a readable"):
        load_face_units(tmp_path / "x.safetensors")


def test_units_of_the_weight_are_mirror_images() -> None:
    units = MODEL.units
    assert isinstance(units, np.ndarray)
    swapped = [UNITS.index(mirrored_name(name)) for name in UNITS]
    np.testing.assert_allclose(units, units[swapped][:, MODEL.mirror] * (-1, 1, 1), atol=1e-6)
    assert units[UNITS.index("jawOpen"), at.CHIN, 1] > 0.15
    assert units[UNITS.index("mouthSmileLeft"), at.MOUTH_LEFT, 1] < -0.05
    assert abs(units[UNITS.index("mouthSmileLeft"), at.MOUTH_RIGHT, 1]) < 0.01
