"""Motion as a delta from the neutral face, which carries over from one person to another.

A delta is (T, 70): expression relative to the face with its lips together and its eyelids at their median, angles in
radians relative to the mean pose, and translation relative to the mean place: x and y in lengths of the model's unit
(an outer-eye distance), z as a logarithm.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facepipe.face.expression_probes import ExpressionProbes
from facepipe.face.pose import angles_of, rotation_of
from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]

EXPRESSION, ANGLES, TRANSLATION = slice(0, 64), slice(64, 67), slice(67, 70)
CHANNELS = 70
# The lips of so many frames, those with the mouth least open, are taken for lips at rest.
RESTING_SHARE = 0.2


def without_blinks(expression: Floats, probes: ExpressionProbes) -> Floats:
    """Return expressions (T, 64) with each lid held where it mostly is."""
    down = expression @ probes.lids
    return np.asarray(expression - (down - np.median(down, axis=0)) @ probes.closing)


def neutral_delta_of(coefficients: Coefficients, probes: ExpressionProbes) -> Floats:
    """Return the delta (T, 70) of a clip from its own rest, blinks left out."""
    expression = without_blinks(coefficients.expression, probes)
    open_by = probes.mouth_open(expression)
    rest = expression[open_by <= np.quantile(open_by, RESTING_SHARE)].mean(0)
    place = coefficients.translation.mean(0)
    moved = coefficients.translation - place
    moved[:, :2] /= np.exp(place[2])
    turned = coefficients.angles - coefficients.angles.mean(0)
    return np.concatenate([expression - rest, turned, moved], axis=1)


def resting(expression: Floats, probes: ExpressionProbes) -> Floats:
    """Return an expression (64,) with its lips brought together, if they are apart."""
    apart = max(0.0, float(probes.mouth_open(expression)))
    return np.asarray(expression - apart * probes.opening)


def with_delta(source: Coefficients, delta: Floats, fps: Fraction, *, expression: Floats) -> Coefficients:
    """Return the coefficients of a source whose face departs from a resting `expression` (64,), head from its own."""
    count = len(delta)
    still = source.rows(0, 1).repeated(count)
    angles = angles_of(rotation_of(delta[:, ANGLES]) @ rotation_of(source.angles[:1]))
    moved = delta[:, TRANSLATION].copy()
    moved[:, :2] *= np.exp(source.translation[0, 2])
    made = still.with_motion(expression + delta[:, EXPRESSION], angles, source.translation[0] + moved)
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
    return slice(max(0, min(low, count - 1)), high + 2)


def _places(frames: NDArray[np.intp], given_fps: Fraction, wanted_fps: Fraction) -> Floats:
    return np.asarray((frames + 0.5) * float(given_fps / wanted_fps) - 0.5)
