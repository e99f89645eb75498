"""Motion as a delta from the neutral face, which transfers between people.

A delta is (T, 70): expression relative to the face with its lips together and its eyelids at their median, angles in
radians relative to the mean pose, and translation relative to its mean: x and y in outer-eye distances (the unit of the
face model), z as a logarithm.
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
# Fraction of the frames, those with the smallest mouth opening, that define the lips at rest.
RESTING_SHARE = 0.2


def without_blinks(expression: Floats, probes: ExpressionProbes) -> Floats:
    """Return expressions (T, 64) with each eyelid fixed at its median."""
    down = expression @ probes.lids
    return np.asarray(expression - (down - np.median(down, axis=0)) @ probes.closing)


def neutral_delta_of(coefficients: Coefficients, probes: ExpressionProbes) -> Floats:
    """Return the delta (T, 70) of a clip from its own neutral face, without blinks."""
    expression = without_blinks(coefficients.expression, probes)
    opening = probes.mouth_open(expression)
    rest = expression[opening <= np.quantile(opening, RESTING_SHARE)].mean(0)
    mean_translation = coefficients.translation.mean(0)
    translation = coefficients.translation - mean_translation
    translation[:, :2] /= np.exp(mean_translation[2])
    angles = coefficients.angles - coefficients.angles.mean(0)
    return np.concatenate([expression - rest, angles, translation], axis=1)


def resting(expression: Floats, probes: ExpressionProbes) -> Floats:
    """Return an expression (64,) with its lips closed if they are apart."""
    opening = max(0.0, float(probes.mouth_open(expression)))
    return np.asarray(expression - opening * probes.opening)


def with_delta(source: Coefficients, delta: Floats, fps: Fraction, *, expression: Floats) -> Coefficients:
    """Return the source with a delta (T, 70) added to a resting `expression` (64,) and to its own head pose."""
    count = len(delta)
    still = source.rows(0, 1).repeated(count)
    angles = angles_of(rotation_of(delta[:, ANGLES]) @ rotation_of(source.angles[:1]))
    translation = delta[:, TRANSLATION].copy()
    translation[:, :2] *= np.exp(source.translation[0, 2])
    made = still.with_motion(expression + delta[:, EXPRESSION], angles, source.translation[0] + translation)
    return replace(made, fps=fps, valid=np.ones(count, bool))


def resampled(
    rows: Floats, input_fps: Fraction, output_fps: Fraction, count: int, *, first: int = 0, rows_first: int = 0
) -> Floats:
    """Resample (T, K) rows to another frame rate by linear interpolation between the middles of frames.

    Returns `count` rows, from output frame `first` on. `rows` starts at row `rows_first` of the whole input.
    """
    positions = _positions(np.arange(first, first + count), input_fps, output_fps)
    known = np.arange(rows_first, rows_first + len(rows))
    return np.stack([np.interp(positions, known, column) for column in rows.T], axis=1)


def rows_about(first: int, end: int, input_fps: Fraction, output_fps: Fraction, count: int) -> slice:
    """Return the slice of `count` input rows that `resampled` needs for output frames `first` to `end` (exclusive)."""
    low, high = np.floor(_positions(np.array([first, end - 1]), input_fps, output_fps)).astype(int)
    return slice(max(0, min(low, count - 1)), high + 2)


def _positions(frames: NDArray[np.intp], input_fps: Fraction, output_fps: Fraction) -> Floats:
    return np.asarray((frames + 0.5) * float(input_fps / output_fps) - 0.5)
