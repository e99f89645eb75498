"""Sliders, sweeps, length and frame rate of an edit, from the options of a request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from facepipe.errors import UsageError
from facepipe.motion.sliders import Edit, neutral
from facepipe.requests.resolution import fps_of

FRAMES, FPS = 75, "25"


def edit_of(sliders: Mapping[str, float], sweeps: Iterable[str], preset: Edit) -> Edit:
    """Return the sliders and sweeps of a preset, overridden by those of the request. Raises UsageError."""
    for name, value in sliders.items():
        if not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} is {value}, expected a finite number")
    moving = dict(read_sweep(text) for text in sweeps)
    if twice := sorted(set(moving) & set(sliders)):
        raise UsageError(f"{twice[0]} is given both as a slider and as a sweep; give only one of them")
    values = {name: value for name, value in {**preset.values, **sliders}.items() if name not in moving}
    preset_sweeps = {name: ends for name, ends in preset.sweeps.items() if name not in sliders}
    return Edit(values=values, sweeps={**preset_sweeps, **moving})


def read_sweep(text: str) -> tuple[str, tuple[float, float]]:
    """Parse "yaw=-30:30". Raises UsageError."""
    name, _, ends = text.partition("=")
    first, _, last = ends.partition(":")
    try:
        start, end = float(first), float(last)
    except ValueError:
        raise UsageError(f"--sweep is {text!r}, expected NAME=FROM:TO, for example --sweep yaw=-30:30") from None
    if not (math.isfinite(start) and math.isfinite(end)):
        raise UsageError(f"--sweep is {text!r}, expected finite numbers")
    return name.strip().replace("-", "_"), (start, end)


def as_video(edit: Edit, frames: int | None, fps: str | None) -> Edit:
    """Return the edit of a video. Without sweeps, all sliders move from neutral to their values."""
    rate = fps_of(fps or FPS)
    values, sweeps = edit.values, edit.sweeps
    if not sweeps:
        values, sweeps = {}, {name: (neutral(name), value) for name, value in values.items()}
    return Edit(values=values, sweeps=sweeps, frames=frames or FRAMES, fps=str(rate))


def as_picture(edit: Edit, out: Path, frames: int | None, fps: str | None) -> Edit:
    """Return the edit of a picture. Raises UsageError for options that need a video."""
    video_only = {"--sweep": bool(edit.sweeps), "--frames": frames is not None, "--fps": fps is not None}
    if named := [flag for flag, given in video_only.items() if given]:
        raise UsageError(
            f"{named[0]} makes a video, but -o is {out}, a picture; use a name ending in .mp4, or leave {named[0]} out"
        )
    return edit
