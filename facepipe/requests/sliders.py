"""The sliders of `facepipe edit` as options. A test compares them with `facepipe.motion.sliders`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facepipe.requests.declaration import option


def _angle(help: str) -> Any:
    return option(f"{help} In degrees.", default=None, metavar="DEGREES")


def _distance(help: str) -> Any:
    return option(f"{help} In outer-eye distances.", default=None, metavar="OUTER-EYE-DISTANCES")


def _control() -> Any:
    return option("Expression slider; 1 is a strong expression.", default=None, metavar="N")


@dataclass(frozen=True, kw_only=True)
class Sliders:
    """Pose and expression sliders; None means unchanged. `facepipe edit --list` prints the bounds."""

    yaw: float | None = _angle("Yaw of the head; positive turns the nose to the left of the picture.")
    pitch: float | None = _angle("Pitch of the head; positive is down.")
    roll: float | None = _angle("Roll of the head; positive is clockwise.")
    move_x: float | None = _distance("Move the head to the right.")
    move_y: float | None = _distance("Move the head down.")
    zoom: float | None = option("Scale factor of the head.", default=None, metavar="TIMES")
    jaw_open: float | None = _control()
    mouth_open: float | None = _control()
    jaw_left: float | None = _control()
    jaw_forward: float | None = _control()
    smile: float | None = _control()
    frown: float | None = _control()
    pucker: float | None = _control()
    stretch: float | None = _control()
    mouth_left: float | None = _control()
    upper_lip_raise: float | None = _control()
    lower_lip_drop: float | None = _control()
    lip_press: float | None = _control()
    smile_left: float | None = _control()
    smile_right: float | None = _control()
    nose_wrinkle: float | None = _control()
    cheek_raise: float | None = _control()
    brow_raise: float | None = _control()
    brow_raise_left: float | None = _control()
    brow_raise_right: float | None = _control()
    brow_raise_inner: float | None = _control()
    brow_frown: float | None = _control()
    blink_left: float | None = _control()
    blink_right: float | None = _control()
    squint: float | None = _control()
    gaze_left: float | None = _control()
    gaze_up: float | None = _control()
