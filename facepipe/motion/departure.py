"""Motion as departure from a face at rest, which carries over from one person to another.

A departure is (T, 70): expression against the face with its lips together and its lids as they mostly are, angles in
radians against the mean pose, and translation against the mean place, x and y in lengths of the model's unit (an
outer-eye distance), z as a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facepipe.face.coefficients import Coefficients
from facepipe.face.measures import measure_rows
from facepipe.face.model import FaceModel
from facepipe.face.pose import angles_of, rotation_of

Floats = NDArray[np.floating]

EXPRESSION, ANGLES, TRANSLATION = slice(0, 64), slice(64, 67), slice(67, 70)
CHANNELS = 70
# The lips of so many frames, those with the mouth least open, are taken for lips at rest.
RESTING_SHARE = 0.2
LIDS = ("blink_left", "blink_right")


@dataclass(frozen=True)
class Handles:
    """What of expressions can be read and moved by itself: the mouth's opening, and each lid."""

    mouth: Floats
    """(64,): times an expression, how far the lips are apart, in outer-eye distances."""
    opening: Floats
    """(64,) the expression that opens the mouth by one such unit, as little else as it can."""
    lids: Floats
    """(64, 2): times an expression, how far the left and the right lid have come down."""
    closing: Floats
    """(2, 64) the expressions that bring down the left and the right lid by one unit, and not the other."""
    mouth_offset: float
    lids_offset: Floats
    """(2,) the same measures of the mean face."""

    def mouth_open(self, expression: Floats) -> Floats:
        """Return the mouth's opening (T,) of expressions (T, 64)."""
        return np.asarray(expression @ self.mouth + self.mouth_offset)

    def lids_down(self, expression: Floats) -> Floats:
        """Return the lids' state (T, 2): negative where they are open, near zero where they are shut."""
        return np.asarray(expression @ self.lids + self.lids_offset)


def handles_of(model: FaceModel, identity: Floats | None = None) -> Handles:
    """Return the handles of a face model, for the mean face or for that of an identity (80,)."""
    rows = measure_rows(("mouth_open", *LIDS))
    shape = model.mean if identity is None else model.shape(identity, np.zeros((1, 64)))[0]
    own = rows @ shape.ravel()
    by_expression = model.expression.reshape(64, -1) @ rows.T
    lids = by_expression[:, 1:]
    down = np.stack([model.controls[name].direction for name in LIDS])
    opening = model.controls["mouth_open"].direction
    # Lids keep still when the mouth opens.
    closing = np.linalg.solve(down @ lids, down)
    opening = opening - (opening @ lids) @ closing
    return Handles(
        mouth=by_expression[:, 0],
        opening=opening / (opening @ by_expression[:, 0]),
        lids=lids,
        closing=closing,
        mouth_offset=float(own[0]),
        lids_offset=own[1:],
    )


def without_blinks(expression: Floats, handles: Handles) -> Floats:
    """Return expressions (T, 64) with each lid held where it mostly is."""
    down = expression @ handles.lids
    return np.asarray(expression - (down - np.median(down, axis=0)) @ handles.closing)


def departure_of(coefficients: Coefficients, handles: Handles) -> Floats:
    """Return the departure (T, 70) of a clip from its own rest, blinks left out."""
    expression = without_blinks(coefficients.expression, handles)
    open_by = handles.mouth_open(expression)
    rest = expression[open_by <= np.quantile(open_by, RESTING_SHARE)].mean(0)
    place = coefficients.translation.mean(0)
    moved = coefficients.translation - place
    moved[:, :2] /= np.exp(place[2])
    turned = coefficients.angles - coefficients.angles.mean(0)
    return np.concatenate([expression - rest, turned, moved], axis=1)


def resting(expression: Floats, handles: Handles) -> Floats:
    """Return an expression (64,) with its lips brought together, if they are apart."""
    apart = max(0.0, float(handles.mouth_open(expression)))
    return np.asarray(expression - apart * handles.opening)


def departed(source: Coefficients, departure: Floats, fps: Fraction, *, expression: Floats) -> Coefficients:
    """Return the coefficients of a source whose face departs from a resting `expression` (64,), head from its own."""
    count = len(departure)
    still = source.rows(0, 1).repeated(count)
    angles = angles_of(rotation_of(departure[:, ANGLES]) @ rotation_of(source.angles[:1]))
    moved = departure[:, TRANSLATION].copy()
    moved[:, :2] *= np.exp(source.translation[0, 2])
    made = still.with_motion(expression + departure[:, EXPRESSION], angles, source.translation[0] + moved)
    return replace(made, fps=fps, valid=np.ones(count, bool))


def resampled(
    rows: Floats, given_fps: Fraction, wanted_fps: Fraction, count: int, *, first: int = 0, rows_first: int = 0
) -> Floats:
    """Return (T, K) rows at another rate, interpolated between the middles of frames, `count` of them.

    They are those from frame `first` on, where `rows` may begin with row `rows_first` of the whole.
    """
    places = _places(np.arange(first, first + count), given_fps, wanted_fps)
    known = np.arange(rows_first, rows_first + len(rows))
    return np.stack([np.interp(places, known, column) for column in rows.T], axis=1)


def rows_about(first: int, end: int, given_fps: Fraction, wanted_fps: Fraction, count: int) -> slice:
    """Return which of `count` rows `resampled` needs for frames `first` up to `end`, left out."""
    low, high = np.floor(_places(np.array([first, end - 1]), given_fps, wanted_fps)).astype(int)
    # Two at least where there are two: torch rounds the product of a single row otherwise than that of many.
    return slice(max(0, min(low, count - 2)), max(2, high + 2))


def _places(frames: NDArray[np.intp], given_fps: Fraction, wanted_fps: Fraction) -> Floats:
    return np.asarray((frames + 0.5) * float(given_fps / wanted_fps) - 0.5)
