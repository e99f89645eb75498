"""Retargeting and editing in the space `keypoints68`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from facepipe.face.model import FaceModel
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients
from facepipe.spaces.keypoints68.landmarks import Box, box_around, followed, steady_box
from facepipe.spaces.linear478 import motion as linear
from facepipe.spaces.retargeting import Retargeting


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, model: FaceModel, *, no_face: str = "hold"
) -> Coefficients:
    """Implement `MotionSpace.retarget`.

    The landmarks are those of the source's face with the motion that the space `linear478` gives it, so that they do
    not have the shape of the driver's face; with keypoints "driver" they are the driver's own, in the source's box.
    """
    made = linear.retarget(source, driving, how, model, no_face=no_face)
    if how.keypoints == "source":
        return followed(made, source.rows(0, 1), model)
    own, others = cast("KeypointCoefficients", source.rows(0, 1)), cast("KeypointCoefficients", driving)
    keypoints = _own_box(own, len(others)).placed(steady_box(others).normalised(others.keypoints))
    if no_face == "source":
        keypoints = np.where(others.valid[:, None, None], keypoints, own.keypoints)
    elif no_face == "cut":
        keypoints = keypoints[others.valid]
    return replace(cast("KeypointCoefficients", made), keypoints=keypoints)


def _own_box(source: KeypointCoefficients, count: int) -> Box:
    return Box(*(np.repeat(part, count, axis=0) for part in box_around(source.keypoints)))


def contain(made: Coefficients, source: Coefficients, how: Retargeting, model: FaceModel) -> tuple[Coefficients, float]:
    """Implement `MotionSpace.contain`. The driver's own landmarks are left as the published program has them."""
    if how.keypoints == "driver":
        return made, 0.0
    kept, taken_back = linear.contain(made, source, how, model)
    return followed(kept, made, model), taken_back


def edit(coefficients: Coefficients, values: Mapping[str, Floats], model: FaceModel) -> Coefficients:
    """Implement `MotionSpace.edit`."""
    return followed(linear.edit(coefficients, values, model), coefficients, model)


def from_coefficients(made: Coefficients, source: Coefficients, model: FaceModel) -> Coefficients:
    """Return coefficients with the landmarks of the source's face (its first frame) after their motion."""
    return followed(made, source.rows(0, 1), model)
