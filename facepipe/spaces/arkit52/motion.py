"""Retargeting and editing in the space `arkit52`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.units import UNITS
from facepipe.face.gaze import FULL_LOOK_RADIANS
from facepipe.face.model import FaceModel
from facepipe.spaces.arkit52.coefficients import UnitCoefficients, with_units
from facepipe.spaces.arkit52.fitting import fitted, open_eyes
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.linear478 import motion as linear
from facepipe.spaces.retargeting import Retargeting

# By slider: the weights that its value 1 adds, and those that its value -1 adds. A slider's 1 is an extreme of talking
# faces, a unit's 1 that of the muscle.
SLIDERS: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = {
    "jaw_open": ({"jawOpen": 0.6}, {"mouthClose": 0.2}),
    "mouth_open": ({"jawOpen": 0.5, "mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2}, {"mouthClose": 0.2}),
    "jaw_left": ({"jawLeft": 0.7}, {"jawRight": 0.7}),
    "jaw_forward": ({"jawForward": 0.7}, {}),
    "smile": ({"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}, {"mouthFrownLeft": 0.5, "mouthFrownRight": 0.5}),
    "frown": ({"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8}, {"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4}),
    "pucker": ({"mouthPucker": 0.8}, {"mouthStretchLeft": 0.4, "mouthStretchRight": 0.4}),
    "stretch": ({"mouthStretchLeft": 0.8, "mouthStretchRight": 0.8}, {"mouthPucker": 0.5}),
    "mouth_left": ({"mouthLeft": 0.7}, {"mouthRight": 0.7}),
    "upper_lip_raise": (
        {"mouthUpperUpLeft": 0.8, "mouthUpperUpRight": 0.8},
        {"mouthRollUpper": 0.5},
    ),
    "lower_lip_drop": ({"mouthLowerDownLeft": 0.8, "mouthLowerDownRight": 0.8}, {"mouthShrugLower": 0.5}),
    "lip_press": ({"mouthPressLeft": 0.8, "mouthPressRight": 0.8, "mouthRollLower": 0.4, "mouthRollUpper": 0.4}, {}),
    "smile_left": ({"mouthSmileLeft": 0.8}, {"mouthFrownLeft": 0.5}),
    "smile_right": ({"mouthSmileRight": 0.8}, {"mouthFrownRight": 0.5}),
    "nose_wrinkle": ({"noseSneerLeft": 0.8, "noseSneerRight": 0.8}, {}),
    "cheek_raise": ({"cheekSquintLeft": 0.8, "cheekSquintRight": 0.8}, {}),
    "brow_raise": (
        {"browInnerUp": 0.9, "browOuterUpLeft": 0.9, "browOuterUpRight": 0.9},
        {"browDownLeft": 0.7, "browDownRight": 0.7},
    ),
    "brow_raise_left": ({"browOuterUpLeft": 0.9, "browInnerUp": 0.45}, {"browDownLeft": 0.7}),
    "brow_raise_right": ({"browOuterUpRight": 0.9, "browInnerUp": 0.45}, {"browDownRight": 0.7}),
    "brow_raise_inner": ({"browInnerUp": 0.9}, {"browDownLeft": 0.4, "browDownRight": 0.4}),
    "brow_frown": ({"browDownLeft": 0.9, "browDownRight": 0.9}, {}),
    "blink_left": ({"eyeBlinkLeft": 1.0}, {"eyeWideLeft": 1.0}),
    "blink_right": ({"eyeBlinkRight": 1.0}, {"eyeWideRight": 1.0}),
    "squint": ({"eyeSquintLeft": 0.9, "eyeSquintRight": 0.9}, {"eyeWideLeft": 0.5, "eyeWideRight": 0.5}),
}
# Turn of both eyes for the value 1 of the sliders of the gaze.
GAZE_RADIANS = 0.7 * FULL_LOOK_RADIANS


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, model: FaceModel, *, no_face: str = "hold"
) -> Coefficients:
    """Implement `MotionSpace.retarget`.

    Weights and gazes are measured from the driver's own face at rest, so they need no reference frame: relative motion
    adds them to those of the source, absolute motion takes them as they are. The head and the arrays of `linear478`
    move as in that space. A driver in another linear space is fitted first.
    """
    made = linear.retarget(source, driving, how, model, no_face="hold")
    own, theirs = of(source.rows(0, 1), model), of(driving, model)
    weights, gaze = (np.repeat(rows, len(driving), axis=0) for rows in (own.weights, own.gaze))
    if how.only != "pose":
        kept = how.motion == "relative"
        weights = kept * weights + how.strength * theirs.weights
        gaze = kept * gaze + how.strength * theirs.gaze
    found = with_units(made, weights, gaze)
    if no_face == "source":
        return _with_source(found, own, ~driving.valid)
    return found.without(~driving.valid) if no_face == "cut" else found


def _with_source(made: UnitCoefficients, source: UnitCoefficients, frames: NDArray[np.bool_]) -> UnitCoefficients:
    """Return motion that shows the source's own state in the marked frames (T,)."""
    shown = {}
    for name in made.space.motion:
        rows = getattr(made, name)
        shown[name] = np.where(frames.reshape(-1, *[1] * (rows.ndim - 1)), getattr(source, name), rows)
    return replace(made, **shown)


def of(coefficients: Coefficients, model: FaceModel) -> UnitCoefficients:
    """Return coefficients in a linear space with weights and gazes: their own, or those of their expressions."""
    if isinstance(coefficients, UnitCoefficients):
        return coefficients
    return fitted(coefficients, model, open_eyes(coefficients, model))


def edit(coefficients: Coefficients, values: Mapping[str, Floats], model: FaceModel) -> Coefficients:
    """Implement `MotionSpace.edit`: a slider adds to the weights of its units (SLIDERS)."""
    before = of(coefficients, model)
    weights, gaze = np.array(before.weights), np.array(before.gaze)
    for name, value in values.items():
        for sign, units in zip((1, -1), SLIDERS.get(name, ({}, {})), strict=True):
            for unit, weight in units.items():
                weights[:, UNITS.index(unit)] += weight * np.maximum(sign * value, 0)
    zero = np.zeros(len(before))
    gaze[:, :, 0] -= GAZE_RADIANS * values.get("gaze_left", zero)[:, None]
    gaze[:, :, 1] -= GAZE_RADIANS * values.get("gaze_up", zero)[:, None]
    return with_units(linear.edit(coefficients, values, model), weights, gaze)


def from_coefficients(made: Coefficients, source: Coefficients, model: FaceModel) -> Coefficients:
    """Return coefficients whose weights and gazes change from the source's as the fits of their expressions do."""
    own, (first, after) = of(source.rows(0, 1), model), (fitted(one, model) for one in (source.rows(0, 1), made))
    weights = own.weights + after.weights - first.weights
    return with_units(made, weights, own.gaze + after.gaze - first.gaze)
