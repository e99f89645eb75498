"""Retargeting and editing in the space `bfm`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from facepipe.face.bfm.alignment import STANDARD_PIXELS
from facepipe.face.bfm.estimation import FRAME_PIXELS
from facepipe.face.model import FaceModel
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.bfm.descriptor import CROP, with_crop
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.editing import turned_angles
from facepipe.spaces.gaps import held_shot
from facepipe.spaces.retargeting import Retargeting, Target, retarget_rows
from facepipe.spaces.travel import groups_of, kept_inside

# From our axes to those of this space, where y points up and z towards the camera.
SENSES = np.array([1, -1, -1])
# Distance of the outer eye corners of the standard face, in its unit.
EYE_DISTANCE = 0.9
# How far a face reaches from the model's origin to the left and right, and down and up, in outer-eye distances.
ACROSS, UPWARD = (0.9, 0.9), (1.2, 0.8)


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
    """Return (T, 3) crops that change from `start` as the driver's from `base` (T, 3): the scale in proportion."""
    shifted = np.repeat(start[None], len(crops), axis=0)
    if how.scale == "source":
        return shifted
    # The larger the scale, the smaller the head; a small head moves by fewer pixels.
    head_ratio = base[:, :1] / start[0] if how.scale == "adapt" else 1.0
    shifted[:, 0] *= (crops[:, 0] / base[:, 0]) ** how.strength
    shifted[:, 1:] += how.strength * head_ratio * (crops[:, 1:] - base[:, 1:])
    return shifted


def contain(made: Coefficients, source: Coefficients, how: Retargeting, model: FaceModel) -> tuple[Coefficients, float]:
    """Implement `MotionSpace.contain`. Absolute motion is left as the published program has it."""
    del model
    if how.motion == "absolute":
        return made, 0.0
    bfm, start = cast("BfmCoefficients", made), cast("BfmCoefficients", source).crops[0]
    groups, fps, crops = groups_of(held_shot(bfm)), float(bfm.fps), np.array(bfm.crops, float)
    unit = EYE_DISTANCE * STANDARD_PIXELS
    smallest = np.full(len(bfm), unit * max(sum(ACROSS), sum(UPWARD)) / FRAME_PIXELS)
    # What the portrait itself lacks of its face, the result may lack too.
    smallest = np.minimum(smallest, start[0])
    kept = [kept_inside(crops[:, 0], smallest, np.full(len(bfm), np.inf), start[0], groups, fps)]
    for axis, (before, after) in ((1, ACROSS), (2, UPWARD)):
        pixels = unit / kept[0].path
        low, high = before * pixels, FRAME_PIXELS - after * pixels
        own = before * unit / start[0], FRAME_PIXELS - after * unit / start[0]
        low, high = low - max(0.0, own[0] - start[axis]), high + max(0.0, start[axis] - own[1])
        kept.append(kept_inside(crops[:, axis], low, high, start[axis], groups, fps))
    return replace(bfm, crops=np.stack([one.path for one in kept], axis=1)), max(one.taken_back for one in kept)


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
