"""Sliders, sweeps, frames and rate of an edit, put together from what the request says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from facepipe.errors import UsageError
from facepipe.motion.sliders import Edit, neutral
from facepipe.requests.resolution import fps_of

FRAMES, FPS = 75, "25"


def edit_of(sliders: Mapping[str, float], sweeps: Iterable[str], preset: Edit) -> Edit:
    """Return the sliders and sweeps of a preset, with those of the request in place of its own. Raises UsageError."""
    for name, value in sliders.items():
        if not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} is {value}, expected a finite number.")
    moving = dict(read_sweep(text) for text in sweeps)
    if twice := sorted(set(moving) & set(sliders)):
        raise UsageError(f"{twice[0]} is given as a slider and as a sweep; leave one of the two out.")
    values = {name: value for name, value in {**preset.values, **sliders}.items() if name not in moving}
    kept = {name: ends for name, ends in preset.sweeps.items() if name not in sliders}
    return Edit(values=values, sweeps={**kept, **moving})


def read_sweep(text: str) -> tuple[str, tuple[float, float]]:
    """Read "yaw=-30:30". Raises UsageError."""
    name, _, ends = text.partition("=")
    first, _, last = ends.partition(":")
    try:
        start, end = float(first), float(last)
    except ValueError:
        raise UsageError(f"--sweep is {text!r}, expected NAME=FROM:TO, as in --sweep yaw=-30:30") from None
    if not (math.isfinite(start) and math.isfinite(end)):
        raise UsageError(f"--sweep is {text!r}, expected finite numbers")
    return name.strip().replace("-", "_"), (start, end)


def as_video(edit: Edit, frames: int | None, fps: str | None) -> Edit:
    """Return an edit that fills a video; one without sweeps goes from the source as it is to the sliders."""
    rate = fps_of(fps or FPS)
    values, sweeps = edit.values, edit.sweeps
    if not sweeps:
        values, sweeps = {}, {name: (neutral(name), value) for name, value in values.items()}
    return Edit(values=values, sweeps=sweeps, frames=frames or FRAMES, fps=str(rate))


def as_picture(edit: Edit, out: Path, frames: int | None, fps: str | None) -> Edit:
    """Return an edit of one picture. Raises UsageError for options that only a video has."""
    video_only = {"--sweep": bool(edit.sweeps), "--frames": frames is not None, "--fps": fps is not None}
    if named := [flag for flag, given in video_only.items() if given]:
        raise UsageError(f"{out} is a picture, and {named[0]} makes a video; end the name in .mp4, or leave it out")
    return edit
