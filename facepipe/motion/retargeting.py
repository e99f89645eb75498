"""Giving one face the motion of another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import UsageError
from facepipe.face.coefficients import BfmCoefficients, Coefficients
from facepipe.face.descriptor import CROP, with_crop
from facepipe.face.model import FaceModel
from facepipe.motion.departure import handles_of

Floats = NDArray[np.floating]
MotionKind = Literal["relative", "absolute"]
ScaleRule = Literal["source", "adapt", "driver"]
Only = Literal["all", "expression", "pose"]

# By outer-eye distance: lips that differ by a twentieth of it weigh as much as a turn of 15 degrees.
OPENING_WEIGHT = 20.0


@dataclass(frozen=True)
class Retargeting:
    """How the driver's motion is laid on the source."""

    motion: MotionKind = "relative"
    """relative: the driver's change since its reference frame, added to the source's own state; absolute: its state."""
    strength: float = 1.0
    """Expression and pose departures are multiplied by this."""
    only: Only = "all"
    scale: ScaleRule = "adapt"
    """Size and place in the picture: source keeps them, adapt moves by the driver's movement in head sizes, driver
    takes the driver's. Absolute motion in the basis `bfm` goes by the published rule (`descriptor.with_crop`)."""
    reference: str = "best"
    """Reference frame of relative motion: best (most like the source; one for the expression, one for the pose), first,
    or a frame number from 0."""


class References(NamedTuple):
    """Driving frames that stand for the source's own state."""

    expression: int
    pose: int


def reference_frames(
    source: Coefficients, driving: Coefficients, rule: str, model: FaceModel | None = None
) -> References:
    """Return the frames that a rule picks, two of them where it is `best`. Raises UsageError for one beyond the end.

    A mouth that is open in the driver's frame and closed in the source would have its lips pass through each other when
    the driver's close, so how far lips and lids are apart weighs most. That takes the face model of the basis
    `facepipe`.
    """
    there = np.flatnonzero(driving.valid)
    if rule == "first" or not len(there):
        first = int(there[0]) if len(there) else 0
        return References(first, first)
    if rule != "best":
        if int(rule) >= len(driving):
            raise UsageError(
                f"--reference is {rule}, but the driver has {len(driving)} frames; take best, first, or a number "
                f"from 0 to {len(driving) - 1}"
            )
        return References(int(rule), int(rule))
    turned = np.linalg.norm(driving.angles[there] - source.angles[0], axis=1)
    away = np.linalg.norm(driving.expression[there] - source.expression[0], axis=1) / 4 + turned * 4
    if model is not None:
        own, theirs = (openings(one, model) for one in (source, driving))
        away += OPENING_WEIGHT * np.abs(theirs[there] - own[0]).sum(1)
    return References(int(there[np.argmin(away)]), int(there[np.argmin(turned)]))


def openings(face: Coefficients, model: FaceModel) -> Floats:
    """Return (T, 3) how far lips are apart and either lid is down, in outer-eye distances."""
    handles = handles_of(model, face.identity)
    return np.column_stack([handles.mouth_open(face.expression), handles.lids_down(face.expression)])


def retarget(
    source: Coefficients,
    driving: Coefficients,
    how: Retargeting,
    model: FaceModel | None = None,
    *,
    no_face: str = "hold",
) -> Coefficients:
    """Return the source's coefficients (of one frame, its first) with the driver's motion, one row a driving frame.

    Both are of one basis; `model` is that of the basis `facepipe`, None for another.

    Driving frames without a face hold what the nearest frame shows ("hold"), the source's own state ("source"), or are
    left out ("cut").
    """
    count, at = len(driving), reference_frames(source, driving, how.reference, model)
    own = source.repeated(count)
    motion: dict[str, Any] = {}
    if how.only != "pose":
        base = driving.expression[at.expression] if how.motion == "relative" else source.expression[0] * 0
        start = source.expression[0] if how.motion == "relative" else base
        motion["expression"] = start + how.strength * (driving.expression - base)
    if how.only != "expression":
        motion["angles"] = _turned(source, driving, at.pose, how)
        motion |= _placed(source, driving, at.pose, how)
    if no_face == "source":
        there = driving.valid[:, None]
        motion = {name: np.where(there, rows, getattr(own, name)) for name, rows in motion.items()}
    moved = replace(own, **motion, valid=driving.valid, residual=driving.residual, fps=driving.fps)
    return moved.without(~driving.valid) if no_face == "cut" else moved


def _turned(source: Coefficients, driving: Coefficients, at: int, how: Retargeting) -> Floats:
    if how.motion == "absolute":
        return how.strength * driving.angles
    # Angle by angle, as sliders turn it: a nod stays a nod though one head looks ahead and the other aside, which it
    # does not where the turn itself is carried over.
    return np.asarray(source.angles[0] + how.strength * (driving.angles - driving.angles[at]))


def _placed(source: Coefficients, driving: Coefficients, at: int, how: Retargeting) -> dict[str, Floats]:
    """Return what says where the head is and how large."""
    if not isinstance(source, BfmCoefficients) or not isinstance(driving, BfmCoefficients):
        return {"translation": _moved(source, driving, at, how)}
    if how.motion == "absolute":
        rows = with_crop(source.descriptor_rows()[0], driving.descriptor_rows(), how.scale)
        return {"translation": driving.translation, "crops": rows[:, CROP]}
    moved = source.translation[0] + how.strength * (driving.translation - driving.translation[at])
    return {"translation": moved, "crops": _moved_crops(source.crops[0], driving.crops, driving.crops[at], how)}


def _moved_crops(start: Floats, crops: Floats, base: Floats, how: Retargeting) -> Floats:
    """Return (T, 3) crops that change from `start` as the driver's from `base`: the scale in proportion."""
    moved = np.repeat(start[None], len(crops), axis=0)
    if how.scale == "source":
        return moved
    # The larger the scale, the smaller the head; a small head moves by fewer pixels.
    head_ratio = base[0] / start[0] if how.scale == "adapt" else 1.0
    moved[:, 0] *= (crops[:, 0] / base[0]) ** how.strength
    moved[:, 1:] += how.strength * head_ratio * (crops[:, 1:] - base[1:])
    return moved


def _moved(source: Coefficients, driving: Coefficients, at: int, how: Retargeting) -> Floats:
    start, base = source.translation[0], driving.translation[at]
    if how.scale == "driver":
        return (
            driving.translation.copy()
            if how.motion == "absolute"
            else start + how.strength * (driving.translation - base)
        )
    # Movement is measured in head sizes, so that a small head in the source moves as far as its size allows.
    head_ratio = np.exp(start[2] - base[2])
    moved = np.repeat(start[None], len(driving), axis=0)
    moved[:, :2] += how.strength * head_ratio * (driving.translation[:, :2] - base[:2])
    if how.scale == "adapt":
        moved[:, 2] += how.strength * (driving.translation[:, 2] - base[2])
    return moved
