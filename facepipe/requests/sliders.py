"""The sliders of `facepipe edit` as options. A test compares them with `facepipe.motion.sliders`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from facepipe.requests.declaration import option


def _angle(help: str, most: float) -> Any:
    return option(help, default=None, metavar="DEGREES", span=(-most, most))


def _distance(help: str) -> Any:
    return option(f"{help}, in outer-eye distances.", default=None, metavar="DISTANCES", span=(-3, 3))


def _control(help: str, least: float) -> Any:
    return option(help, default=None, metavar="N", span=(least, 2))


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Sliders of the head; None means unchanged."""

    panel: ClassVar[str] = "Sliders of the head"
    yaw: float | None = _angle("Turn the nose to the left of the picture; negative to the right.", 60)
    pitch: float | None = _angle("Nod down; negative up.", 45)
    roll: float | None = _angle("Tilt clockwise; negative counterclockwise.", 90)
    move_x: float | None = _distance("Move to the right; negative to the left")
    move_y: float | None = _distance("Move down; negative up")
    zoom: float | None = option("Scale the head; 1 is unchanged.", default=None, metavar="TIMES", span=(0.3, 3))


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Sliders of the face; None means unchanged. The face model determines their spans."""

    panel: ClassVar[str] = (
        "Sliders of the face (0 is unchanged, 1 a strong expression; left and right are the subject's)"
    )
    jaw_open: float | None = _control("Lower the jaw.", -1.32)
    mouth_open: float | None = _control("Part the lips.", -0.38)
    jaw_left: float | None = _control("Shift the jaw to the left; negative to the right.", -2)
    jaw_forward: float | None = _control("Push the jaw forward; negative back.", -3)
    smile: float | None = _control("Raise and widen the corners of the mouth.", -1.12)
    frown: float | None = _control("Lower both corners of the mouth.", -3)
    pucker: float | None = _control("Round the lips.", -3)
    stretch: float | None = _control("Widen the mouth.", -1.22)
    mouth_left: float | None = _control("Shift the mouth to the left; negative to the right.", -2)
    upper_lip_raise: float | None = _control("Raise the upper lip.", -1.1)
    lower_lip_drop: float | None = _control("Lower the lower lip.", -0.94)
    lip_press: float | None = _control("Press the lips together.", -3)
    smile_left: float | None = _control("Raise the left corner of the mouth.", -1.2)
    smile_right: float | None = _control("Raise the right corner of the mouth.", -1.2)
    nose_wrinkle: float | None = _control("Wrinkle the nose.", -1.2)
    cheek_raise: float | None = _control("Raise both cheeks.", -0.98)
    brow_raise: float | None = _control("Raise both brows.", -1.82)
    brow_raise_left: float | None = _control("Raise the left brow.", -1.98)
    brow_raise_right: float | None = _control("Raise the right brow.", -1.98)
    brow_raise_inner: float | None = _control("Raise the inner ends of the brows.", -2.54)
    brow_frown: float | None = _control("Draw the brows together and down.", -2.06)
    blink_left: float | None = _control("Close the left eye.", -0.54)
    blink_right: float | None = _control("Close the right eye.", -0.54)
    squint: float | None = _control("Raise both lower lids.", -1.68)
    gaze_left: float | None = _control("Look to the left; negative to the right.", -2)
    gaze_up: float | None = _control("Look up; negative down.", -3)


@dataclass(frozen=True, kw_only=True)
class Sliders(Pose, Controls):
    """All sliders."""
