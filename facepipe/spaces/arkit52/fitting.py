"""Weights of the 52 face units from expressions, and expressions from weights.

Eyelids and eyes are read from their own points, because a fit to all points spreads a blink over several units. The
other units come from a least-squares fit with bounds to the displacements of the points, in which the opening between
the lips counts as a measurement of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facepipe.avatar.units import JAW_OPEN, UNITS, with_lips_apart
from facepipe.errors import WeightsError
from facepipe.face import topology as at
from facepipe.face.expression_probes import ExpressionProbes, probes_of
from facepipe.face.fitting import NOISE
from facepipe.face.gaze import LOOKING, gaze_of
from facepipe.face.measures import measure_rows
from facepipe.face.model import FaceModel
from facepipe.models.rows import row_product
from facepipe.spaces.arkit52.coefficients import UnitCoefficients, with_units
from facepipe.spaces.arkit52.solver import solve_bounded
from facepipe.spaces.coefficients import Coefficients, Floats

# What the fit does not see: the tongue, and the eyes, which the gaze gives.
HIDDEN = ("tongueOut",)
FITTED = tuple(n for n, name in enumerate(UNITS) if n not in LOOKING and name not in HIDDEN)
BLINKS = (UNITS.index("eyeBlinkLeft"), UNITS.index("eyeBlinkRight"))
WIDES = (UNITS.index("eyeWideLeft"), UNITS.index("eyeWideRight"))
# Factor on the weight of the lips' inner contour, and that of the opening between them.
LIP_WEIGHT, OPENING_WEIGHT = 9.0, 100.0
# Ridge: a share of a unit's own curvature, and a constant.
RIDGE_SHARE, RIDGE, JAW_RIDGE = 0.15, 0.01, 0.01
# Factors on it by beginning of the name; the first one counts. Units of the lips explain little that the jaw does not,
# and landmarks are unsure in depth.
RIDGE_FACTORS = {
    "mouthRoll": 12.0,
    "mouthShrug": 12.0,
    "mouthFunnel": 8.0,
    "mouthLower": 8.0,
    "mouthUpper": 8.0,
    "mouthFrown": 4.0,
    "mouthDimple": 3.0,
    "mouthClose": 1.0,
    "mouth": 2.0,
    "jaw": 3.0,
    "cheekPuff": 8.0,
}
# Units that undo each other: only the larger one is kept.
OPPOSITES = tuple((UNITS.index(f"{part}Left"), UNITS.index(f"{part}Right")) for part in ("jaw", "mouth"))
# Weight of the difference between a unit and that of the other side, as a share of its curvature.
SYMMETRY = 0.15
SINGLE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
# An eye whose aperture has lost this share counts as shut: lids of tracked faces do not meet.
SHUT_SHARE = 0.5
# An eye this share wider than at rest begins to be wide, and is so after the second share.
WIDE_FROM, WIDE_SPAN = 0.08, 0.5
# Lids of a shape at rest are at least this far apart, in outer-eye distances.
MIN_APERTURE = 0.02
# By how much the two eyes' apertures approach each other: an eye turned away is measured badly.
EYES_SHARED = 0.3


@dataclass(frozen=True)
class UnitFit:
    """The parts of the fit that depend on the face model alone."""

    matrix: Floats
    """(43, 43) of the FITTED units."""
    sides: Floats
    """(64, 43) maps an expression to the right-hand side."""
    jaw: Floats
    """(43,) right-hand side of an open jaw that parts the lips by one outer-eye distance."""
    to_expression: Floats
    """(52, 64) maps weights to the expression that explains them best."""

    def weights(self, expression: Floats, parted: float) -> Floats:
        """Return the weights (T, 52) of the FITTED units for (T, 64) expressions; those of the others are 0.

        `parted` is the distance of the lips at rest, in outer-eye distances, that an open jaw shall explain.
        """
        weights = np.zeros((len(expression), len(UNITS)))
        weights[:, FITTED] = solve_bounded(self.matrix, row_product(expression, self.sides) + parted * self.jaw)
        for left, right in OPPOSITES:
            weights[:, [left, right]] -= weights[:, [left, right]].min(1, keepdims=True)
        return with_lips_apart(weights)


def unit_fit(model: FaceModel) -> UnitFit:
    """Return the fit for a face model. Raises WeightsError for a model without face units."""
    if model.units is None:
        raise WeightsError("The motion space arkit52 needs the weight face-units. Run `facepipe weights verify`.")
    factor = np.sqrt(model.weights)
    factor[[*at.LIP_INNER_UPPER, *at.LIP_INNER_LOWER]] *= np.sqrt(LIP_WEIGHT)
    skin, opening = slice(0, at.SKIN_COUNT), np.sqrt(OPENING_WEIGHT) * measure_rows(("mouth_open",)).T

    def measured(offsets: Floats) -> Floats:
        own = (offsets * factor[:, None])[:, skin].reshape(len(offsets), -1)
        return np.concatenate([own, offsets.reshape(len(offsets), -1) @ opening], axis=1)

    units, expression = measured(model.units[list(FITTED)]), measured(model.expression)
    gram = units @ units.T
    ridge = np.array([_ridge(number, gram[k, k]) for k, number in enumerate(FITTED)])
    root = (np.sqrt(model.weights) / NOISE)[:, None]
    faces, moves = ((rows * root).reshape(len(rows), -1) for rows in (model.expression, model.units))
    explained = np.linalg.solve(faces @ faces.T + np.eye(len(faces)), faces @ moves.T)
    jaw = FITTED.index(JAW_OPEN)
    parting = units[jaw, -1] / np.sqrt(OPENING_WEIGHT)
    return UnitFit(gram + np.diag(ridge) + _symmetry(gram), expression @ units.T, gram[jaw] / parting, explained.T)


def _ridge(number: int, curvature: float) -> float:
    if number == JAW_OPEN:
        return JAW_RIDGE
    factors = [factor for beginning, factor in RIDGE_FACTORS.items() if UNITS[number].startswith(beginning)]
    return (RIDGE_SHARE * curvature + RIDGE) * (factors[0] if factors else 1)


def _symmetry(gram: Floats) -> Floats:
    """Return the matrix (43, 43) of the squared differences between the two sides of the face."""
    matrix = np.zeros((len(FITTED), len(FITTED)))
    for k, number in enumerate(FITTED):
        name = UNITS[number]
        if not name.endswith("Left") or name in SINGLE:
            continue
        other = FITTED.index(UNITS.index(name.removesuffix("Left") + "Right"))
        matrix[[k, other], [k, other]] += SYMMETRY * gram[k, k]
        matrix[[k, other], [other, k]] -= SYMMETRY * gram[k, k]
    return matrix


def open_eyes(coefficients: Coefficients, model: FaceModel) -> Floats:
    """Return (2,) the distances of the lids of a person's open eyes: the medians of a clip, or those at rest if larger.

    Shapes are fitted to eyes that blink, so that at rest they are a little less open than the person's.
    """
    probes, seen = probes_of(model, coefficients.identity), coefficients.expression[coefficients.valid]
    rest = _eyes_at_rest(probes)
    return np.maximum(rest, np.median(-probes.lids_down(seen), axis=0)) if len(seen) else rest


def _eyes_at_rest(probes: ExpressionProbes) -> Floats:
    return np.maximum(-probes.lids_offset, MIN_APERTURE)


def fitted(coefficients: Coefficients, model: FaceModel, eyes: Floats | None = None) -> UnitCoefficients:
    """Return coefficients in a linear space with the weights and gazes of their expressions.

    `eyes` (2,) are the distances of the lids of the open eyes, left and right; those at rest if None.
    """
    probes = probes_of(model, coefficients.identity)
    # The lips of the mean face touch, those of a person at rest need not: shapes are fitted to faces that talk.
    parted = probes.mouth_offset - probes_of(model).mouth_offset
    weights, gaze = unit_fit(model).weights(coefficients.expression, parted), gaze_of(coefficients.expression, model)
    lost = 1 + probes.lids_down(coefficients.expression) / (_eyes_at_rest(probes) if eyes is None else eyes)
    lost += EYES_SHARED * (lost.mean(1, keepdims=True) - lost)
    weights[:, BLINKS] = np.clip(lost / SHUT_SHARE, 0, 1)
    weights[:, WIDES] = np.clip((-lost - WIDE_FROM) / WIDE_SPAN, 0, 1)
    return with_units(coefficients, weights, gaze)


def explained(coefficients: UnitCoefficients, model: FaceModel) -> UnitCoefficients:
    """Return the same weights with the expressions that explain them: for motion that was made as weights."""
    return replace(coefficients, expression=row_product(coefficients.weights, unit_fit(model).to_expression))
