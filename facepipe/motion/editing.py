"""Sliders: pose angles, translation and the face model's named controls, laid on coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from facepipe.errors import UsageError
from facepipe.face.coefficients import Coefficients
from facepipe.face.model import FaceModel
from facepipe.face.pose import angles_of, rotation_of

# What lies in the picture's plane is in heads (outer-eye distances), size is a factor.
POSE_SLIDERS = ("pitch", "yaw", "roll", "move_x", "move_y", "zoom")
POSE_BOUNDS: Mapping[str, tuple[float, float]] = {
    "pitch": (-45, 45),
    "yaw": (-60, 60),
    "roll": (-90, 90),
    "move_x": (-3, 3),
    "move_y": (-3, 3),
    "zoom": (0.3, 3),
}
# Sliders may go this much beyond what real faces were seen to do.
CONTROL_SLACK = 2.0


@dataclass(frozen=True)
class Edit:
    """Values of sliders. Angles in degrees; an empty edit changes nothing."""

    values: Mapping[str, float] = field(default_factory=dict)
    sweep: str = ""
    """Name of the slider that moves; empty for none."""
    sweep_from: float = 0.0
    sweep_to: float = 0.0
    sweep_frames: int = 0
    """The slider goes from one end to the other in so many frames."""


def check_sliders(names: Iterable[str], model: FaceModel) -> None:
    """Raise UsageError for a slider that there is not."""
    known = (*POSE_SLIDERS, *model.controls)
    for name in names:
        if name not in known:
            raise UsageError(f"there is no slider {name!r}. Sliders are: {', '.join(known)}.")


def check_values(edit: Edit, model: FaceModel) -> None:
    """Raise UsageError for a slider that there is not, or a value out of its bounds."""
    wanted = [
        *edit.values.items(),
        *([(edit.sweep, edit.sweep_from), (edit.sweep, edit.sweep_to)] if edit.sweep else []),
    ]
    check_sliders((name for name, _ in wanted), model)
    for name, value in wanted:
        low, high = bounds(name, model)
        if not low <= value <= high:
            raise UsageError(f"slider {name} was set to {value:g}, expected {low:g} to {high:g}.")


def bounds(name: str, model: FaceModel) -> tuple[float, float]:
    """Return the lowest and highest value that a slider takes."""
    if name in POSE_BOUNDS:
        return POSE_BOUNDS[name]
    control = model.controls[name]
    return round(control.low * CONTROL_SLACK, 2), round(control.high * CONTROL_SLACK, 2)


def edited(coefficients: Coefficients, edit: Edit, model: FaceModel) -> Coefficients:
    """Lay the sliders on coefficients; a sweep turns a single frame into a clip."""
    check_values(edit, model)
    if edit.sweep:
        if len(coefficients) == 1:
            coefficients = coefficients.repeated(edit.sweep_frames)
        share = np.linspace(0, 1, len(coefficients))
        track = {edit.sweep: edit.sweep_from + share * (edit.sweep_to - edit.sweep_from)}
    else:
        track = {}
    count = len(coefficients)
    values = {name: np.full(count, value, float) for name, value in edit.values.items()} | track
    expression = coefficients.expression + sum(
        (value[:, None] * model.controls[name].direction for name, value in values.items() if name in model.controls),
        np.zeros((1, 1)),
    )
    zero = np.zeros(count)
    turn = np.radians(np.stack([values.get(name, zero) for name in ("pitch", "yaw", "roll")], axis=1))
    angles = coefficients.angles
    if turn.any():
        # In the picture's frame, so that --yaw turns about the upright whatever the head's own pitch.
        angles = angles_of(rotation_of(turn) @ rotation_of(angles))
    translation = np.array(coefficients.translation, float)
    unit = np.exp(translation[:, 2])
    translation[:, 0] += values.get("move_x", zero) * unit
    translation[:, 1] += values.get("move_y", zero) * unit
    translation[:, 2] += np.log(values.get("zoom", zero + 1))
    return replace(coefficients, expression=expression, angles=angles, translation=translation)
