"""Retargeting and editing in the space `linear478`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from facepipe.face.expression_probes import probes_of
from facepipe.face.model import FaceModel
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.editing import turned_angles
from facepipe.spaces.gaps import held_shot
from facepipe.spaces.outline import largest_size, reach_of, room_of
from facepipe.spaces.retargeting import Distance, References, Retargeting, Start, Target, retarget_rows
from facepipe.spaces.travel import groups_of, kept_inside

# By outer-eye distance: lips that differ by a twentieth of it weigh as much as a turn of 15 degrees.
OPENING_WEIGHT = 20.0


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, model: FaceModel, *, no_face: str = "hold"
) -> Coefficients:
    """Implement `MotionSpace.retarget`."""
    distance, start = opening_distance(model), with_mouth_as_open(model)
    return retarget_rows(source, driving, how, place=_place, distance=distance, start=start, no_face=no_face)


def opening_distance(model: FaceModel) -> Distance:
    """Return the distance by which mouth and eyes of driving frames are open otherwise than the source's."""

    # Where the driver's mouth is open in the reference frame and the source's is closed, the source's lips would pass
    # through each other as the driver's close; so these openings weigh most.
    def distance(source: Coefficients, driving: Coefficients) -> Floats:
        own, theirs = (openings(one, model) for one in (source, driving))
        return np.asarray(OPENING_WEIGHT * np.abs(theirs - own[0]).sum(1))

    return distance


def with_mouth_as_open(model: FaceModel) -> Start:
    """Return the source's expression with its mouth no wider open than the driver's in the best reference frame."""

    # Otherwise a portrait that smiles or speaks would stay open by as much while the driver's lips are closed. A
    # reference that the user names is taken at its word: there the source shows its own state.
    def start(source: Coefficients, driving: Coefficients, at: References, how: Retargeting) -> Floats:
        if how.reference != "best":
            return source.expression[:1]
        own, theirs = (probes_of(model, one.identity) for one in (source, driving))
        reference = np.maximum(theirs.mouth_open(driving.expression)[at.expression], 0)
        wider = np.maximum(own.mouth_open(source.expression[:1]) - reference, 0)
        return np.asarray(source.expression[:1] - min(how.strength, 1.0) * wider[:, None] * own.opening)

    return start


def openings(face: Coefficients, model: FaceModel) -> Floats:
    """Return (T, 3): the distance of the lips and how far either eyelid is down, in outer-eye distances."""
    probes = probes_of(model, face.identity)
    return np.column_stack([probes.mouth_open(face.expression), probes.lids_down(face.expression)])


def _place(target: Target) -> dict[str, Floats]:
    source, driving, at, how = target
    start, base = source.translation[0], driving.translation[at]
    if how.scale == "driver":
        absolute = how.motion == "absolute"
        shifted = driving.translation.copy() if absolute else start + how.strength * (driving.translation - base)
        return {"translation": shifted}
    # Movement is measured in head sizes, so that a small head in the source moves as far as its size allows.
    head_ratio = np.exp(start[2] - base[:, 2:])
    shifted = np.repeat(start[None], len(driving), axis=0)
    shifted[:, :2] += how.strength * head_ratio * (driving.translation[:, :2] - base[:, :2])
    if how.scale == "adapt":
        shifted[:, 2] += how.strength * (driving.translation[:, 2] - base[:, 2])
    return {"translation": shifted}


def contain(made: Coefficients, source: Coefficients, how: Retargeting, model: FaceModel) -> tuple[Coefficients, float]:
    """Implement `MotionSpace.contain`."""
    del how
    groups, fps, start = groups_of(held_shot(made)), float(made.fps), source.translation[0]
    reach, own = reach_of(made, model), reach_of(source.rows(0, 1), model)
    # What the portrait itself lacks of its face, the result may lack too.
    largest = largest_size(reach) + max(0.0, start[2] - largest_size(own)[0])
    size = kept_inside(made.translation[:, 2], np.full(len(made), -np.inf), largest, start[2], groups, fps)
    low, high = room_of(reach, np.exp(size.path))
    own_low, own_high = room_of(own, np.exp(start[2:]))
    low -= np.maximum(0, own_low - start[:2])
    high += np.maximum(0, start[:2] - own_high)
    places = [
        kept_inside(made.translation[:, axis], low[:, axis], high[:, axis], start[axis], groups, fps) for axis in (0, 1)
    ]
    translation = np.stack([*(place.path for place in places), size.path], axis=1)
    return replace(made, translation=translation), max(size.taken_back, *(place.taken_back for place in places))


def edit(coefficients: Coefficients, values: Mapping[str, Floats], model: FaceModel) -> Coefficients:
    """Implement `MotionSpace.edit`."""
    expression = np.array(coefficients.expression, float)
    for name, value in values.items():
        if name in model.controls:
            expression += value[:, None] * model.controls[name].direction
    zero = np.zeros(len(coefficients))
    translation = np.array(coefficients.translation, float)
    unit = np.exp(translation[:, 2])
    translation[:, 0] += values.get("move_x", zero) * unit
    translation[:, 1] += values.get("move_y", zero) * unit
    translation[:, 2] += np.log(values.get("zoom", zero + 1))
    return coefficients.with_motion(expression, turned_angles(coefficients, values), translation)


def from_coefficients(made: Coefficients, source: Coefficients, model: FaceModel) -> Coefficients:
    """Implement `MotionSpace.follow`: this is the space that sliders and voice work in."""
    del source, model
    return made
