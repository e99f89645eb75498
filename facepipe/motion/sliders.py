"""Sliders: names, units and bounds, and the `Edit` that holds their values.

The command line reads the names for its help, so this module must not import NumPy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facepipe.errors import UsageError, WeightsError
from facepipe.spaces import MotionSpace, linear478

# Angles in degrees; move_x and move_y in outer-eye distances, right and down; zoom is a factor.
POSE_BOUNDS: Mapping[str, tuple[float, float]] = {
    "yaw": (-60, 60),
    "pitch": (-45, 45),
    "roll": (-90, 90),
    "move_x": (-3, 3),
    "move_y": (-3, 3),
    "zoom": (0.3, 3),
}
POSE_SLIDERS = tuple(POSE_BOUNDS)

# Named controls of the face model, in its order. A test compares them with the weight file.
CONTROLS = (
    "jaw_open",
    "mouth_open",
    "jaw_left",
    "jaw_forward",
    "smile",
    "frown",
    "pucker",
    "stretch",
    "mouth_left",
    "upper_lip_raise",
    "lower_lip_drop",
    "lip_press",
    "smile_left",
    "smile_right",
    "nose_wrinkle",
    "cheek_raise",
    "brow_raise",
    "brow_raise_left",
    "brow_raise_right",
    "brow_raise_inner",
    "brow_frown",
    "blink_left",
    "blink_right",
    "squint",
    "gaze_left",
    "gaze_up",
)
SLIDERS = (*POSE_SLIDERS, *CONTROLS)

# Factor by which controls may exceed the range observed in real faces.
CONTROL_SLACK = 2.0

Bounds = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Draw:
    """A range of random expressions and poses of a seed."""

    seed: int
    first: int = 1
    """Number of the first sample, from 1. A sample depends only on the seed and its number."""
    count: int = 1


@dataclass(frozen=True)
class Edit:
    """Values of sliders. An empty edit changes nothing."""

    values: Mapping[str, float] = field(default_factory=dict)
    sweeps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Sliders that change linearly from one value to another over the clip."""
    frames: int = 0
    """Length of the clip made from a single frame; 0 keeps a single frame. A clip keeps its own length."""
    fps: str = ""
    """Frame rate of a clip made from a single frame, such as "25" or "30000/1001"."""
    draw: Draw | None = None
    """Random faces that replace the expression and pose before the sliders are applied."""
    travels: bool = False
    """Whether a clip made from a single frame moves from the original face to the edited one."""


def neutral(name: str) -> float:
    """Return the value at which a slider has no effect."""
    return 1.0 if name == "zoom" else 0.0


def unit_of(name: str) -> str:
    """Return the unit of a slider's value; empty for controls, which have no unit."""
    if name in ("yaw", "pitch", "roll"):
        return "degrees"
    return {"move_x": "outer-eye distances", "move_y": "outer-eye distances", "zoom": "times"}.get(name, "")


def label_of(values: Mapping[str, float]) -> str:
    """Return a label that lists sliders with their values, such as "yaw 20, smile 0.8"."""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def read_bounds(face_model: Path) -> dict[str, tuple[float, float]]:
    """Return the bounds of every slider. The bounds of the controls come from the header of the face model file.

    Raises WeightsError if the file does not contain controls.
    """
    try:
        with face_model.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, 1 << 20)))
        ranges = json.loads(header["__metadata__"]["controls"])
        controls = {name: bounds_of_control(float(low), float(high)) for name, (low, high) in ranges.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{face_model} does not list the controls of a face model ({error}). Run `facepipe weights verify`."
        ) from error
    return {**POSE_BOUNDS, **controls}


def bounds_of_control(low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a control whose range in real faces is `low` to `high`."""
    return round(low * CONTROL_SLACK, 2), round(high * CONTROL_SLACK, 2)


def check_edit(edit: Edit, bounds: Bounds, *, space: MotionSpace = linear478.SPACE) -> None:
    """Raise UsageError listing all unknown sliders and all values out of bounds.

    Controls of the face and random expressions need a motion space with `has_controls`.
    """
    if not space.has_controls:
        bounds = POSE_BOUNDS
        if edit.draw:
            raise UsageError(
                f"--random samples expressions of the motion space linear478, but this job uses {space.name}. "
                "Remove --random."
            )
        unsupported = [name for name in (*edit.values, *edit.sweeps) if name in CONTROLS]
        if unsupported:
            raise UsageError(
                f"The slider {unsupported[0]} needs the motion space linear478, but this job uses {space.name}, which "
                f"has only the sliders of the head: {', '.join(POSE_SLIDERS)}."
            )
    values = [*edit.values.items(), *((name, value) for name, ends in edit.sweeps.items() for value in ends)]
    faults = []
    for name, value in values:
        if name not in bounds:
            faults.append(f"Unknown slider {name!r}; sliders are {', '.join(bounds)}.")
        elif not bounds[name][0] <= value <= bounds[name][1]:
            low, high = bounds[name]
            unit = f" {unit_of(name)}" if unit_of(name) else ""
            faults.append(f"Slider {name} was set to {value:g}, expected {low:g} to {high:g}{unit}.")
    if faults:
        faults = list(dict.fromkeys(faults))  # Both ends of a sweep have the same unknown name.
        raise UsageError(" ".join([*faults, "`facepipe edit --list` shows every slider with its bounds."]))
