"""Retargeting: giving one face the motion of another. What the spaces share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import NoFaceError, UsageError
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.gaps import held_shot

Floats = NDArray[np.floating]
MotionKind = Literal["relative", "absolute"]
ScaleRule = Literal["source", "adapt", "driver"]
Only = Literal["all", "expression", "pose"]
KeypointRule = Literal["source", "driver"]


@dataclass(frozen=True)
class Retargeting:
    """How the driver's motion is applied to the source."""

    motion: MotionKind = "relative"
    """relative: the driver's change since its reference frame, added to the source's own state; absolute: its state."""
    strength: float = 1.0
    """Factor on the change of expression and pose."""
    only: Only = "all"
    scale: ScaleRule = "adapt"
    """Size and place in the picture. source keeps them; adapt moves by the driver's movement in head sizes; driver
    takes the driver's. Absolute motion in the space `bfm` follows the published rule (`bfm.descriptor.with_crop`)."""
    keypoints: KeypointRule = "source"
    """In the space `keypoints68`: the landmarks of the source's face moved as the driver's, or the driver's own, which
    need absolute motion."""
    reference: str = "best"
    """Reference frame of relative motion, in each shot: best (most like the source; one for the expression, one for the
    pose), first, or a frame number from 0, which applies to its shot; the others take their best."""


class References(NamedTuple):
    """The driving frames that stand for the source's own state, (T,) each: equal in all frames of a shot."""

    expression: NDArray[np.intp]
    pose: NDArray[np.intp]


class Target(NamedTuple):
    """Arguments of a space's `place` function."""

    source: Any
    driving: Any
    at: NDArray[np.intp]
    """(T,) the reference frame of the pose for each frame."""
    how: Retargeting


Place = Callable[[Target], dict[str, Floats]]
"""Returns the arrays of place and size, one row for each driving frame."""
Distance = Callable[[Coefficients, Coefficients], Floats]
"""Returns (T,): a further distance of driving frames from the source, for the choice of the best reference."""
Start = Callable[[Coefficients, Coefficients, References, Retargeting], Floats]
"""Returns (T or 1, 64): the source's expressions at the reference frames, to which relative motion is added."""


def reference_frames(
    source: Coefficients, driving: Coefficients, rule: str, distance: Distance | None = None
) -> References:
    """Return the frames that a rule picks in each shot, two of them for `best`.

    Frames of a shot without a face belong to the shot whose face they hold. Raises UsageError for a frame beyond the
    end, and NoFaceError for one without a face.
    """
    if rule not in ("best", "first") and int(rule) >= len(driving):
        raise UsageError(
            f"--reference is {rule}, but the driver has {len(driving)} frames; use best, first, or a number "
            f"from 0 to {len(driving) - 1}"
        )
    if rule not in ("best", "first") and driving.valid.any() and not driving.valid[int(rule)]:
        raise NoFaceError(
            f"--reference is {rule}, but frame {rule} of the driver shows no face; choose another frame, first or best"
        )
    shot = held_shot(driving)
    turned = np.linalg.norm(driving.angles - source.angles[0], axis=1)
    away = np.linalg.norm(driving.expression - source.expression[0], axis=1) / 4 + turned * 4
    if distance is not None:
        away += distance(source, driving)
    found = References(np.zeros(len(driving), np.intp), np.zeros(len(driving), np.intp))
    for number in np.unique(shot):
        frames = shot == number
        seen = np.flatnonzero(frames & driving.valid) if driving.valid.any() else np.flatnonzero(frames)
        if rule == "first":
            picks = int(seen[0]), int(seen[0])
        elif rule != "best" and frames[int(rule)]:
            picks = int(rule), int(rule)
        else:
            picks = int(seen[np.argmin(away[seen])]), int(seen[np.argmin(turned[seen])])
        found.expression[frames], found.pose[frames] = picks
    return found


def retarget_rows(
    source: Coefficients,
    driving: Coefficients,
    how: Retargeting,
    *,
    place: Place,
    distance: Distance | None = None,
    start: Start | None = None,
    no_face: str = "hold",
) -> Coefficients:
    """Return the source's first frame with the driver's motion; `MotionSpace.retarget` describes the result."""
    count, at = len(driving), reference_frames(source, driving, how.reference, distance)
    own = source.repeated(count)
    motion: dict[str, Any] = {}
    if how.only != "pose":
        if how.motion == "relative":
            first = source.expression[:1] if start is None else start(source, driving, at, how)
            motion["expression"] = first + how.strength * (driving.expression - driving.expression[at.expression])
        else:
            motion["expression"] = how.strength * driving.expression
    if how.only != "expression":
        motion["angles"] = _angles(source, driving, at.pose, how)
        motion |= place(Target(source, driving, at.pose, how))
    if no_face == "source":
        valid = driving.valid[:, None]
        motion = {name: np.where(valid, rows, getattr(own, name)) for name, rows in motion.items()}
    others = {name: getattr(driving, name) for name in ("valid", "residual", "fps", "shot")}
    retargeted = replace(own, **motion, **others)
    return retargeted.without(~driving.valid) if no_face == "cut" else retargeted


def _angles(source: Coefficients, driving: Coefficients, at: NDArray[np.intp], how: Retargeting) -> Floats:
    if how.motion == "absolute":
        return how.strength * driving.angles
    # Angle by angle, as sliders do it: a nod stays a nod although one head looks ahead and the other aside. Composing
    # rotations does not have this property.
    return np.asarray(source.angles[0] + how.strength * (driving.angles - driving.angles[at]))
