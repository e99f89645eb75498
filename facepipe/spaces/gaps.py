"""Frames without a face, and cuts: which frames of a clip continue each other, and what fills the gaps between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]
Some = TypeVar("Some", bound=Coefficients)

# A face that is lost for less is smoothed as if it had been seen throughout: a single window covers the gap.
SHORT_GAP_SECONDS = 0.2


def origins(valid: NDArray[np.bool_], shot: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return (T,) the frame with a face that stands for each frame: itself, or the last one of its shot.

    Before the first face of a shot it is that face; in a shot without a face the last one of the shots before, and
    before the first face of a clip that one. If no frame is valid, each frame stands for itself.
    """
    there = np.flatnonzero(valid)
    if not len(there):
        return np.arange(len(valid))
    after = np.searchsorted(there, np.arange(len(valid)), side="right")
    earlier, later = there[np.maximum(after - 1, 0)], there[np.minimum(after, len(there) - 1)]
    foreign = (shot[earlier] != shot) & (shot[later] == shot)
    return np.where(foreign, later, earlier)


def held_shot(coefficients: Coefficients) -> NDArray[np.int32]:
    """Return (T,) the shot whose face each frame shows: its own, unless that has no face."""
    return coefficients.shot[origins(coefficients.valid, coefficients.shot)]


def spans(valid: NDArray[np.bool_], shot: NDArray[np.int32], longest_gap: int) -> list[slice]:
    """Return the runs of frames that continue each other, from a face to a face of the same shot.

    A run may contain gaps of up to `longest_gap` frames without a face.
    """
    there = np.flatnonzero(valid)
    breaks = np.flatnonzero((np.diff(there) > longest_gap + 1) | (np.diff(shot[there]) != 0)) + 1
    return [slice(int(run[0]), int(run[-1]) + 1) for run in np.split(there, breaks) if len(run)]


def short_gap(fps: float) -> int:
    """Return the number of frames of the longest gap that smoothing passes over."""
    return int(SHORT_GAP_SECONDS * fps)


def filled(coefficients: Some) -> Some:
    """Return coefficients whose frames without a face are filled from the others (`valid` does not change).

    Between two faces of a shot the motion passes evenly from one to the other. Otherwise the nearest face of the shot
    is held, and in a shot without a face the last one before it.
    """
    valid, shot = coefficients.valid, coefficients.shot
    if valid.all() or not valid.any():
        return coefficients
    origin = origins(valid, shot)
    held = coefficients.taken(origin)
    there = np.flatnonzero(valid)
    later = there[np.minimum(np.searchsorted(there, np.arange(len(valid))), len(there) - 1)]
    between = (shot[origin] == shot) & (shot[later] == shot) & (origin < np.arange(len(valid))) & ~valid
    between &= later > np.arange(len(valid))
    share = np.where(between, (np.arange(len(valid)) - origin) / np.maximum(later - origin, 1), 0.0)
    passed: dict[str, Any] = {}
    for name in coefficients.space.motion:
        rows = getattr(held, name)
        weight = share.reshape(-1, *[1] * (rows.ndim - 1))
        passed[name] = rows + weight * (getattr(coefficients, name)[later] - rows)
    return replace(held, **passed, valid=valid, shot=shot)
