"""Whether two pictures show one person, by the shape of the face and, for a remark, by its appearance.

The shape is the identity of the face model, fitted to the landmarks of each picture by itself, at rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark
from facepipe.face.cropping import aligned_crop
from facepipe.face.fitting import fit
from facepipe.face.looks import Looks, likeness, looks_of
from facepipe.face.model import FaceModel

Floats = NDArray[np.floating]

# Distance of shapes, in outer-eye distances, from which two faces are those of two people. Measured on people that no
# evaluation uses: none of 429 pairs of frames of one clip and of 156 pairs from two files of one person (14 pairs of
# files) reaches it (the largest are 0.025 and 0.028), and 11 % of the pairs of two people do.
OTHER_SHAPE = 0.032
# The same of distance and looks together, for a remark: reached by 0 %, 28 % and 77 % of these pairs.
DOUBTFUL_SCORE, LOOKS_WEIGHT = 0.025, 0.015


class Portrayed(NamedTuple):
    """The face in a picture."""

    identity: Floats
    """(80,) coefficients of the face model."""
    looks: Looks


class Comparison(NamedTuple):
    """Two faces compared."""

    distance: float
    """Distance of their shapes, in outer-eye distances (`shape_distance`)."""
    likeness: float
    """Likeness of their looks (`facepipe.face.looks.likeness`): 1 if they are equal."""

    @property
    def is_other(self) -> bool:
        """Whether they are the faces of two people."""
        return self.distance >= OTHER_SHAPE

    @property
    def is_doubtful(self) -> bool:
        """Whether they may be the faces of two people."""
        return self.distance - LOOKS_WEIGHT * self.likeness >= DOUBTFUL_SCORE


def portrayed(model: FaceModel, picture: NDArray[np.uint8], points: Floats) -> Portrayed:
    """Return the face in an (H, W, 3) uint8 RGB picture from its (478, 3) landmarks in pixels."""
    whole = np.asarray(points, np.float64)
    identity = fit(model, whole[None], np.ones(1, bool)).identity
    return Portrayed(identity, looks_of(picture, aligned_crop(whole)))


def shape_distance(model: FaceModel, first: Floats, second: Floats) -> float:
    """Return the distance between the shapes of two (80,) identities at rest, in outer-eye distances.

    It is the root mean square distance of the points, weighted as in the fit, after position and size of the shapes are
    made equal; their directions are those of the model.
    """
    share = (model.weights / model.weights.sum())[:, None]
    one, other = (_normalised(model.neutral(identity)[0], share) for identity in (first, second))
    unit = np.sqrt((share * _centred(model.mean, share) ** 2).sum())
    return float(unit * np.sqrt((share * (one - other) ** 2).sum()))


def _centred(points: Floats, share: Floats) -> Floats:
    return np.asarray(points - (share * points).sum(0))


def _normalised(points: Floats, share: Floats) -> Floats:
    centred = _centred(points, share)
    return np.asarray(centred / np.sqrt((share * centred**2).sum()))


def compare(model: FaceModel, first: Portrayed, second: Portrayed) -> Comparison:
    """Compare two faces."""
    distance = shape_distance(model, first.identity, second.identity)
    return Comparison(distance, likeness(first.looks, second.looks))


def person_remarks(found: Comparison, number: int) -> list[Remark]:
    """Return the remark about a further picture of a source, counted from 1, that may show another person."""
    if not found.is_doubtful:
        return []
    text = (
        f"further picture {number} of the source may show another person, or the same in another light: the shapes of "
        f"the faces differ by {found.distance:.3f} eye distances, and their likeness is {found.likeness:.2f}"
    )
    return [Remark("other-face", text)]
