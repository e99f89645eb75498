"""Retargeting and editing in the space `bfm`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from facepipe.face.bfm.alignment import STANDARD_PIXELS
from facepipe.face.model import FaceModel
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.bfm.descriptor import CROP, with_crop
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.editing import turned_angles
from facepipe.spaces.retargeting import Retargeting, Target, retarget_rows

# From our axes to those of this space, where y points up and z towards the camera.
SENSES = np.array([1, -1, -1])
# Distance of the outer eye corners of the standard face, in its unit.
EYE_DISTANCE = 0.9


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, model: FaceModel, *, no_face: str = "hold"
) -> Coefficients:
    """Implement `MotionSpace.retarget`. The face model does not describe this space's expressions and is not used."""
    del model
    return retarget_rows(source, driving, how, place=_place, no_face=no_face)


def _place(target: Target) -> dict[str, Floats]:
    source, driving, at, how = target
    if how.motion == "absolute":
        rows = with_crop(source.descriptor_rows()[0], driving.descriptor_rows(), how.scale)
        return {"translation": driving.translation, "crops": rows[:, CROP]}
    shifted = source.translation[0] + how.strength * (driving.translation - driving.translation[at])
    return {"translation": shifted, "crops": _shifted_crops(source.crops[0], driving.crops, driving.crops[at], how)}


def _shifted_crops(start: Floats, crops: Floats, base: Floats, how: Retargeting) -> Floats:
    """Return (T, 3) crops that change from `start` as the driver's from `base`: the scale in proportion."""
    shifted = np.repeat(start[None], len(crops), axis=0)
    if how.scale == "source":
        return shifted
    # The larger the scale, the smaller the head; a small head moves by fewer pixels.
    head_ratio = base[0] / start[0] if how.scale == "adapt" else 1.0
    shifted[:, 0] *= (crops[:, 0] / base[0]) ** how.strength
    shifted[:, 1:] += how.strength * head_ratio * (crops[:, 1:] - base[1:])
    return shifted


def edit(coefficients: Coefficients, values: Mapping[str, Floats], model: FaceModel) -> Coefficients:
    """Implement `MotionSpace.edit`: this space has sliders of the head only."""
    del model
    bfm = cast("BfmCoefficients", coefficients)
    zero = np.zeros(len(bfm))
    crops = np.array(bfm.crops, float)
    pixels = EYE_DISTANCE * STANDARD_PIXELS / crops[:, 0]
    crops[:, 1] += values.get("move_x", zero) * pixels
    crops[:, 2] -= values.get("move_y", zero) * pixels
    crops[:, 0] /= values.get("zoom", zero + 1)
    return replace(bfm, angles=turned_angles(bfm, values, SENSES), crops=crops)
