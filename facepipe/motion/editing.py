"""Application of an edit (sliders and sweeps) to coefficients of any motion space."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facepipe.face.model import FaceModel
from facepipe.motion.sliders import POSE_BOUNDS, Bounds, Edit, bounds_of_control, check_edit
from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]


def bounds_of(model: FaceModel) -> Bounds:
    """Return the bounds of every slider."""
    return {**POSE_BOUNDS, **{name: bounds_of_control(one.low, one.high) for name, one in model.controls.items()}}


def apply_edit(coefficients: Coefficients, edit: Edit, model: FaceModel) -> Coefficients:
    """Return coefficients with the sliders applied. An edit with `frames` turns a single frame into a clip.

    Raises UsageError for unknown sliders and for values out of bounds.
    """
    check_edit(edit, bounds_of(model), space=coefficients.space)
    if edit.frames and len(coefficients) == 1:
        coefficients = coefficients.repeated(edit.frames)
        coefficients = replace(coefficients, fps=Fraction(edit.fps)) if edit.fps else coefficients
    return coefficients.space.edit(coefficients, _tracks(edit, len(coefficients)), model)


def _tracks(edit: Edit, count: int) -> dict[str, Floats]:
    """Return the values (T,) of each slider over `count` frames."""
    progress = np.linspace(0, 1, count)
    swept = {name: start + progress * (end - start) for name, (start, end) in edit.sweeps.items()}
    return {name: np.full(count, value, float) for name, value in edit.values.items()} | swept
