"""Estimation of `bfm` coefficients from the frames of a clip and their landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import NoFaceError
from facepipe.face.bfm.alignment import Alignment, align, cut_square, upward
from facepipe.face.bfm.layout import COUNT, split
from facepipe.face.bfm.model import BfmModel
from facepipe.face.fitting import nearest_valid

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]

#: Size of the frames from which coefficients are estimated; the crop part of a descriptor is in their pixels.
FRAME_PIXELS = 256
# Frames that are read and estimated together, spread over the threads of the regressor.
BATCH_FRAMES = 16
# Valid range of the alignment's scale; outside it the points do not form a face, and a resized frame could be huge.
SCALES = (0.1, 10.0)
OUTER_EYES = (36, 45)


class CoefficientRegressor(Protocol):
    """Interface of a coefficient network."""

    def estimate(self, squares: Sequence[Picture]) -> NDArray[np.float32]:
        """Return (B, 257) coefficients of (224, 224, 3) uint8 RGB squares."""
        ...


class Estimate(NamedTuple):
    """Coefficients of T frames; a frame without a face repeats the nearest frame with a face."""

    rows: Floats
    """(T, 257) coefficients."""
    crops: Floats
    """(T, 3) scale, x and y of the alignments, in pixels of the frames."""
    valid: NDArray[np.bool_]
    """(T,)"""
    residual: Floats
    """(T,) mean distance between the model's 68 points and the landmarks, in outer-eye distances; 0 without a model."""


def estimate(
    regressor: CoefficientRegressor,
    frames: Iterable[Picture],
    points: Floats,
    valid: NDArray[np.bool_],
    *,
    model: BfmModel | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Estimate:
    """Estimate the coefficients of (256, 256, 3) uint8 RGB frames with (T, 68, 2) landmarks in pixels, y down.

    If there are fewer frames than landmarks, the remaining rows count as frames without a face. Raises NoFaceError if
    no frame has a face.
    """
    count, stream, number = len(points), iter(frames), 0
    alignments = [_alignment(row) if there else None for row, there in zip(points, valid, strict=True)]
    rows = np.zeros((count, COUNT), np.float32)
    while number < count and (batch := list(islice(stream, BATCH_FRAMES))):
        seen = [index for index, _ in enumerate(batch, number) if index < count and alignments[index]]
        if seen:
            rows[seen] = regressor.estimate([_square(batch[index - number], alignments[index]) for index in seen])
        number += len(batch)
        advance(len(batch))
    there = np.array([index for index, one in enumerate(alignments[:number]) if one], int)
    if not len(there):
        raise NoFaceError("no frame shows a face that can be aligned. Use a clip with a clearly visible face.")
    found = [one for one in alignments[:number] if one]
    residual = _residual(model, rows[there], found, upward(points[there], FRAME_PIXELS))
    nearest = nearest_valid(there, count)
    crops = np.array([one.triple for one in found], np.float32)
    return Estimate(rows[there][nearest], crops[nearest], np.isin(np.arange(count), there), residual[nearest])


def _alignment(points: Floats) -> Alignment | None:
    found = align(points, (FRAME_PIXELS, FRAME_PIXELS))
    return found if SCALES[0] < found.scale < SCALES[1] else None


def _square(frame: Picture, alignment: Alignment | None) -> Picture:
    assert alignment is not None
    return cut_square(frame, alignment)


def _residual(model: BfmModel | None, rows: Floats, alignments: list[Alignment], points: Floats) -> Floats:
    if model is None:
        return np.zeros(len(rows), np.float32)
    given = np.stack([one.into_square(some) for one, some in zip(alignments, points, strict=True)])
    unit = np.linalg.norm(given[:, OUTER_EYES[1]] - given[:, OUTER_EYES[0]], axis=1)
    rendered = model.of_keypoints().landmarks(split(rows))
    return np.asarray(np.linalg.norm(rendered - given, axis=2).mean(1) / unit, np.float32)
