"""Sliders by name: what there is to edit, within which bounds, and an edit as a value.

Light on purpose: the command line reads the names for its help, which must not wait for numpy.
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

# The named controls of the face model, in its order; a test holds them against the weight.
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

# Controls may go this much beyond what real faces were seen to do.
CONTROL_SLACK = 2.0

Bounds = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Draw:
    """Expressions and poses that are drawn: which of the infinitely many of a seed."""

    seed: int
    first: int = 1
    """Counted from 1; a draw is the same whatever others are made."""
    count: int = 1


@dataclass(frozen=True)
class Edit:
    """Values of sliders; an empty edit changes nothing."""

    values: Mapping[str, float] = field(default_factory=dict)
    sweeps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Sliders that move evenly from one value to another."""
    frames: int = 0
    """How many frames a single one becomes; a clip keeps its own number. 0 leaves it single."""
    fps: str = ""
    """Frames per second of such a clip, as "25" or "30000/1001"."""
    draw: Draw | None = None
    """What takes the place of the face's own expression and pose, before the sliders."""
    travels: bool = False
    """Whether such a clip begins with the face as it is and goes to where it would otherwise stand."""


def neutral(name: str) -> float:
    """Return the value at which a slider changes nothing."""
    return 1.0 if name == "zoom" else 0.0


def unit_of(name: str) -> str:
    """Return in which unit a slider counts."""
    if name in ("yaw", "pitch", "roll"):
        return "degrees"
    return {"move_x": "outer-eye distances", "move_y": "outer-eye distances", "zoom": "times"}.get(name, "")


def told(values: Mapping[str, float]) -> str:
    """Return sliders in words, as a label."""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def read_bounds(face_model: Path) -> dict[str, tuple[float, float]]:
    """Return the bounds of every slider; those of the controls stand in the header of the face model's file.

    Raises WeightsError for a file that holds no controls.
    """
    try:
        with face_model.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, 1 << 20)))
        ranges = json.loads(header["__metadata__"]["controls"])
        controls = {name: bounds_of_control(float(low), float(high)) for name, (low, high) in ranges.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{face_model} names no controls ({error}). Verify it with `facepipe weights verify`."
        ) from error
    return {**POSE_BOUNDS, **controls}


def bounds_of_control(low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a control that real faces move between `low` and `high`."""
    return round(low * CONTROL_SLACK, 2), round(high * CONTROL_SLACK, 2)


def check_edit(edit: Edit, bounds: Bounds, *, space: MotionSpace = linear478.SPACE) -> None:
    """Raise UsageError, naming all that is wrong, for sliders that there are not and values out of their bounds.

    Named controls of the face, and random expressions, need a space into which our coefficients can be mapped.
    """
    if not space.has_controls:
        bounds = POSE_BOUNDS
        if edit.draw:
            raise UsageError(
                f"--random draws expressions of the motion space linear478, but this job uses {space.name}; leave it "
                "out."
            )
        foreign = [name for name in (*edit.values, *edit.sweeps) if name in CONTROLS]
        if foreign:
            raise UsageError(
                f"The slider {foreign[0]} needs the motion space linear478, but this job uses {space.name}, in which "
                f"only the head can be moved: {', '.join(POSE_SLIDERS)}."
            )
    wanted = [*edit.values.items(), *((name, value) for name, ends in edit.sweeps.items() for value in ends)]
    faults = []
    for name, value in wanted:
        if name not in bounds:
            faults.append(f"There is no slider {name!r}; sliders are {', '.join(bounds)}.")
        elif not bounds[name][0] <= value <= bounds[name][1]:
            low, high = bounds[name]
            unit = f" {unit_of(name)}" if unit_of(name) else ""
            faults.append(f"Slider {name} was set to {value:g}, expected {low:g} to {high:g}{unit}.")
    if faults:
        raise UsageError(" ".join([*faults, "`facepipe edit --list` shows every slider with its bounds."]))
