"""Laying sliders (pose angles, translation, the face model's named controls) on coefficients."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facepipe.face.bfm import BASIS as BFM
from facepipe.face.bfm.alignment import STANDARD_PIXELS
from facepipe.face.coefficients import BfmCoefficients, Coefficients
from facepipe.face.model import FaceModel
from facepipe.face.pose import angles_of, rotation_of
from facepipe.motion.sliders import POSE_BOUNDS, Bounds, Edit, bounds_of_control, check_edit

Floats = NDArray[np.floating]


# From our axes to those of the basis `bfm`, where y goes up and z towards the camera.
BFM_SENSES = np.array([1, -1, -1])
# The outer eye corners of the standard face, in its unit.
BFM_EYE_DISTANCE = 0.9


def bounds_of(model: FaceModel) -> Bounds:
    """Return the bounds of every slider."""
    return {**POSE_BOUNDS, **{name: bounds_of_control(one.low, one.high) for name, one in model.controls.items()}}


def edited(coefficients: Coefficients, edit: Edit, model: FaceModel) -> Coefficients:
    """Lay the sliders on coefficients; an edit with frames turns a single frame into a clip.

    Raises UsageError for a slider that there is not or a value out of its bounds.
    """
    check_edit(edit, bounds_of(model), basis=coefficients.basis)
    if edit.frames and len(coefficients) == 1:
        coefficients = coefficients.repeated(edit.frames)
        coefficients = replace(coefficients, fps=Fraction(edit.fps)) if edit.fps else coefficients
    values = _tracks(edit, len(coefficients))
    expression = np.array(coefficients.expression, float)
    for name, value in values.items():
        if name in model.controls:
            expression += value[:, None] * model.controls[name].direction
    if isinstance(coefficients, BfmCoefficients):
        return replace(coefficients, angles=_turned(coefficients, values), crops=_moved_crops(coefficients, values))
    return coefficients.with_motion(expression, _turned(coefficients, values), _moved(coefficients, values))


def _tracks(edit: Edit, count: int) -> dict[str, Floats]:
    """Return the value of each slider in each frame."""
    share = np.linspace(0, 1, count)
    swept = {name: start + share * (end - start) for name, (start, end) in edit.sweeps.items()}
    return {name: np.full(count, value, float) for name, value in edit.values.items()} | swept


def _turned(coefficients: Coefficients, values: dict[str, Floats]) -> Floats:
    zero = np.zeros(len(coefficients))
    turn = np.radians(np.stack([values.get(name, zero) for name in ("pitch", "yaw", "roll")], axis=1))
    if not turn.any():
        return coefficients.angles
    if coefficients.basis == BFM:
        turn = turn * BFM_SENSES
    # In the picture's frame, so that --yaw turns about the upright whatever the head's own pitch.
    return angles_of(rotation_of(turn) @ rotation_of(coefficients.angles))


def _moved(coefficients: Coefficients, values: dict[str, Floats]) -> Floats:
    zero = np.zeros(len(coefficients))
    translation = np.array(coefficients.translation, float)
    unit = np.exp(translation[:, 2])
    translation[:, 0] += values.get("move_x", zero) * unit
    translation[:, 1] += values.get("move_y", zero) * unit
    translation[:, 2] += np.log(values.get("zoom", zero + 1))
    return translation


def _moved_crops(coefficients: BfmCoefficients, values: dict[str, Floats]) -> Floats:
    zero = np.zeros(len(coefficients))
    crops = np.array(coefficients.crops, float)
    pixels = BFM_EYE_DISTANCE * STANDARD_PIXELS / crops[:, 0]
    crops[:, 1] += values.get("move_x", zero) * pixels
    crops[:, 2] -= values.get("move_y", zero) * pixels
    crops[:, 0] /= values.get("zoom", zero + 1)
    return crops
