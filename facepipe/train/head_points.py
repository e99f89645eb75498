"""Points of the face model on the CC0 head: contours of lids and lips, and landmarks placed by hand.

Places are decimetres in front views of the neutral head, on its left side; the right side mirrors them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology as at
from facepipe.face.model import FaceModel
from facepipe.train.base_head import INSIDE_MOUTH, LEFT_EYE, RIGHT_EYE, BaseHead
from facepipe.train.surface import Anchors, FrontView

EYE_INNER, EYE_OUTER = (0.168, 7.300), (0.443, 7.308)
MOUTH_CORNER, INNER_CORNER = (0.252, 6.612), (0.238, 6.612)
# The red of the lips from the middle outwards.
UPPER_LIP = np.array([(0, 6.688), (0.04, 6.7), (0.075, 6.704), (0.15, 6.672), (0.2, 6.645), MOUTH_CORNER])
LOWER_LIP = np.array([(0, 6.492), (0.1, 6.497), (0.15, 6.515), (0.2, 6.552), MOUTH_CORNER])
# On the middle line, beside the seam of the mesh: nose tip, below the nose, its root, brow, forehead, hair line, chin.
SEAM = 0.006
MIDDLE_LINE = {4: 6.909, 2: 6.80, 168: 7.36, 9: 7.52, 151: 7.69, 10: 7.85, 175: 6.235, 152: 6.185}
NOSE_WINGS = {278: (0.175, 6.93), 294: (0.178, 6.895)}
RIGHT_WINGS = {278: 48, 294: 64}
# The lips touch in the neutral head; parted by this weight of jawOpen their inner contours are visible.
PARTED = 0.12
# Distance of a contour's point from the opening, in pixels.
LID_MARGIN, LIP_MARGIN = 2, 3


def contour_points(head: BaseHead, model: FaceModel) -> dict[int, Anchors]:
    """Return the anchors of lids, lips and hand-placed landmarks by number of the point."""
    view, parted = FrontView(head, head.vertices), FrontView(head, head.moved("jawOpen", PARTED))
    found = {
        **_lids(view, model, LEFT_EYE, 1),
        **_lids(view, model, RIGHT_EYE, -1),
        **_inner_lips(view, parted, model),
        **_outer_lips(view, model),
        **{point: view.anchor(*view.pixel(SEAM, y)) for point, y in MIDDLE_LINE.items()},
    }
    for point, (x, y) in NOSE_WINGS.items():
        found |= {point: view.anchor(*view.pixel(x, y)), RIGHT_WINGS[point]: view.anchor(*view.pixel(-x, y))}
    return found


def _lids(view: FrontView, model: FaceModel, part: str, side: int) -> dict[int, Anchors]:
    """Return the anchors of the lids: just outside the visible eyeball, and between its end and the inner corner."""
    left = side > 0
    inner, outer = (at.LEFT_EYE_INNER, at.LEFT_EYE_OUTER) if left else (at.RIGHT_EYE_INNER, at.RIGHT_EYE_OUTER)
    rings = (at.LEFT_LID_UPPER, at.LEFT_LID_LOWER) if left else (at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER)
    found = {point: view.anchor(*view.pixel(side * x, y)) for point, (x, y) in ((inner, EYE_INNER), (outer, EYE_OUTER))}
    eye, across = view.parts == part, np.abs(model.mean[:, 0])
    columns = np.flatnonzero(eye.any(0))
    start, first_row = (float(number) for number in view.pixel(side * EYE_INNER[0], EYE_INNER[1]))
    for ring, upper in zip(rings, (True, False), strict=True):
        for point in ring:
            share = (across[point] - across[inner]) / (across[outer] - across[inner])
            x = EYE_INNER[0] + share * (EYE_OUTER[0] - EYE_INNER[0])
            column = round(float(view.pixel(side * x, 0.0)[0]))
            if eye[:, column].sum() > LID_MARGIN:
                row = float(_edge(eye, column, LID_MARGIN, upper=upper))
            else:
                nearest = int(columns[np.abs(columns - column).argmin()])
                end = _edge(eye, nearest, LID_MARGIN, upper=upper)
                row = first_row + (column - start) / (nearest - start) * (end - first_row)
            found[point] = view.anchor(column, row)
    return found


def _inner_lips(view: FrontView, parted: FrontView, model: FaceModel) -> dict[int, Anchors]:
    inner, outer = INNER_CORNER, MOUTH_CORNER
    corners = {78: (-inner[0], inner[1]), 308: inner, at.MOUTH_RIGHT: (-outer[0], outer[1]), at.MOUTH_LEFT: outer}
    found = {point: view.anchor(*view.pixel(*place)) for point, place in corners.items()}
    opening = np.isin(parted.parts, INSIDE_MOUTH)
    columns = np.flatnonzero(opening.any(0))
    for ring, upper in ((at.LIP_INNER_UPPER, True), (at.LIP_INNER_LOWER, False)):
        for point in ring:
            x = model.mean[point, 0] / model.mean[308, 0] * inner[0]
            column = round(float(parted.pixel(x, 0.0)[0]))
            column = int(np.clip(column, columns[0] + LIP_MARGIN, columns[-1] - LIP_MARGIN))
            found[point] = parted.anchor(column, _edge(opening, column, LIP_MARGIN, upper=upper))
    return found


def _outer_lips(view: FrontView, model: FaceModel) -> dict[int, Anchors]:
    found = {}
    for ring, line in ((at.LIP_OUTER_UPPER, UPPER_LIP), (at.LIP_OUTER_LOWER, LOWER_LIP)):
        for point in ring:
            x = model.mean[point, 0] / model.mean[at.MOUTH_LEFT, 0] * MOUTH_CORNER[0]
            found[point] = view.anchor(*view.pixel(x, np.interp(abs(x), *line.T)))
    return found


def _edge(opening: NDArray[np.bool_], column: int, margin: int, *, upper: bool) -> int:
    """Return the row above or below an opening, in pixels."""
    rows = np.flatnonzero(opening[:, column])
    return int(rows[0] - margin if upper else rows[-1] + margin)
