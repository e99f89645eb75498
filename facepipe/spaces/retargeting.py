"""Retargeting: giving one face the motion of another. What the spaces share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import UsageError
from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]
MotionKind = Literal["relative", "absolute"]
ScaleRule = Literal["source", "adapt", "driver"]
Only = Literal["all", "expression", "pose"]


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
    reference: str = "best"
    """Reference frame of relative motion: best (most like the source; one for the expression, one for the pose), first,
    or a frame number from 0."""


class References(NamedTuple):
    """Driving frames that stand for the source's own state."""

    expression: int
    pose: int


class Target(NamedTuple):
    """Arguments of a space's `place` function."""

    source: Any
    driving: Any
    at: int
    """The reference frame of the pose."""
    how: Retargeting


Place = Callable[[Target], dict[str, Floats]]
"""Returns the arrays of place and size, one row for each driving frame."""
Distance = Callable[[Coefficients, Coefficients], Floats]
"""Returns (T,): a further distance of driving frames from the source, for the choice of the best reference."""


def reference_frames(
    source: Coefficients, driving: Coefficients, rule: str, distance: Distance | None = None
) -> References:
    """Return the frames that a rule picks, two of them for `best`. Raises UsageError for a frame beyond the end."""
    valid = np.flatnonzero(driving.valid)
    if rule == "first" or not len(valid):
        first = int(valid[0]) if len(valid) else 0
        return References(first, first)
    if rule != "best":
        if int(rule) >= len(driving):
            raise UsageError(
                f"--reference is {rule}, but the driver has {len(driving)} frames; use best, first, or a number "
                f"from 0 to {len(driving) - 1}"
            )
        return References(int(rule), int(rule))
    turned = np.linalg.norm(driving.angles[valid] - source.angles[0], axis=1)
    away = np.linalg.norm(driving.expression[valid] - source.expression[0], axis=1) / 4 + turned * 4
    if distance is not None:
        away += distance(source, driving)[valid]
    return References(int(valid[np.argmin(away)]), int(valid[np.argmin(turned)]))


def retarget_rows(
    source: Coefficients,
    driving: Coefficients,
    how: Retargeting,
    *,
    place: Place,
    distance: Distance | None = None,
    no_face: str = "hold",
) -> Coefficients:
    """Return the source's first frame with the driver's motion; `MotionSpace.retarget` describes the result."""
    count, at = len(driving), reference_frames(source, driving, how.reference, distance)
    own = source.repeated(count)
    motion: dict[str, Any] = {}
    if how.only != "pose":
        base = driving.expression[at.expression] if how.motion == "relative" else source.expression[0] * 0
        start = source.expression[0] if how.motion == "relative" else base
        motion["expression"] = start + how.strength * (driving.expression - base)
    if how.only != "expression":
        motion["angles"] = _angles(source, driving, at.pose, how)
        motion |= place(Target(source, driving, at.pose, how))
    if no_face == "source":
        valid = driving.valid[:, None]
        motion = {name: np.where(valid, rows, getattr(own, name)) for name, rows in motion.items()}
    retargeted = replace(own, **motion, valid=driving.valid, residual=driving.residual, fps=driving.fps)
    return retargeted.without(~driving.valid) if no_face == "cut" else retargeted


def _angles(source: Coefficients, driving: Coefficients, at: int, how: Retargeting) -> Floats:
    if how.motion == "absolute":
        return how.strength * driving.angles
    # Angle by angle, as sliders do it: a nod stays a nod although one head looks ahead and the other aside. Composing
    # rotations does not have this property.
    return np.asarray(source.angles[0] + how.strength * (driving.angles - driving.angles[at]))
