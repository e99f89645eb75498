"""Linear read-outs of an expression (mouth opening and each eyelid), and the directions that change them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face.measures import measure_rows
from facepipe.face.model import FaceModel
from facepipe.models.rows import row_product

Floats = NDArray[np.floating]
LIDS = ("blink_left", "blink_right")


@dataclass(frozen=True)
class ExpressionProbes:
    """Read-outs of mouth and eyelids, and the smallest changes of expression that change them."""

    mouth: Floats
    """(64,) the product with an expression is the distance between the lips, in outer-eye distances."""
    opening: Floats
    """(64,) expression that opens the mouth by one outer-eye distance and changes as little else as possible."""
    lids: Floats
    """(64, 2) the product with an expression is how far the left and the right eyelid are lowered."""
    closing: Floats
    """(2, 64) expressions that lower the left and the right eyelid by one unit, each without the other."""
    mouth_offset: float
    """Mouth opening of the face at rest."""
    lids_offset: Floats
    """(2,) eyelid measures of the face at rest."""

    def mouth_open(self, expression: Floats) -> Floats:
        """Return the mouth opening (T,) of expressions (T, 64), in outer-eye distances."""
        return np.asarray(row_product(expression, self.mouth) + self.mouth_offset)

    def lids_down(self, expression: Floats) -> Floats:
        """Return the state (T, 2) of the left and the right eyelid: negative if open, near zero if shut."""
        return np.asarray(row_product(expression, self.lids) + self.lids_offset)


def probes_of(model: FaceModel, identity: Floats | None = None) -> ExpressionProbes:
    """Return the probes of a face model, for the mean face or for the face of an identity (80,)."""
    rows = measure_rows(("mouth_open", *LIDS))
    shape = model.mean if identity is None else model.shape(identity, np.zeros((1, 64)))[0]
    own = rows @ shape.ravel()
    by_expression = model.expression.reshape(64, -1) @ rows.T
    lids = by_expression[:, 1:]
    down = np.stack([model.controls[name].direction for name in LIDS])
    opening = model.controls["mouth_open"].direction
    # Opening the mouth must not move the eyelids.
    closing = np.linalg.solve(down @ lids, down)
    opening = opening - (opening @ lids) @ closing
    return ExpressionProbes(
        mouth=by_expression[:, 0],
        opening=opening / (opening @ by_expression[:, 0]),
        lids=lids,
        closing=closing,
        mouth_offset=float(own[0]),
        lids_offset=own[1:],
    )
