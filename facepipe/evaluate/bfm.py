"""AED and APD in the space bfm, as papers report them; Deep3DFaceRecon's network must be registered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.errors import NoFaceError
from facepipe.evaluate.pixels import Floats, Picture
from facepipe.face.bfm.estimation import FRAME_PIXELS, CoefficientRegressor, Estimate, estimate
from facepipe.face.bfm.layout import split


def estimated(
    regressor: CoefficientRegressor, pictures: Iterable[Picture], points: Floats, valid: NDArray[np.bool_]
) -> Estimate | None:
    """Estimate the coefficients of T pictures (S, S, 3) with (T, 68, 3) points; None without a face."""
    frames = _sized(pictures)
    first = next(frames, None)
    if first is None or not valid.any():
        return None
    side, picture = first
    scale = FRAME_PIXELS / side
    # Pixel i covers i - 0.5 to i + 0.5, at either size.
    scaled = (points[..., :2] + 0.5) * scale - 0.5
    try:
        return estimate(regressor, _all(picture, frames), scaled, valid)
    except NoFaceError:
        return None


def _sized(pictures: Iterable[Picture]) -> Iterator[tuple[int, Picture]]:
    for picture in pictures:
        side = picture.shape[0]
        way = cv2.INTER_AREA if side > FRAME_PIXELS else cv2.INTER_LINEAR
        sized = picture if side == FRAME_PIXELS else cv2.resize(picture, (FRAME_PIXELS,) * 2, interpolation=way)
        yield side, np.asarray(sized, np.uint8)


def _all(first: Picture, rest: Iterator[tuple[int, Picture]]) -> Iterator[Picture]:
    yield first
    for _, picture in rest:
        yield picture


def distances(made: Estimate, wanted: Estimate, both: NDArray[np.bool_]) -> dict[str, float]:
    """Return the mean absolute differences of the frames of `both` in which both were estimated."""
    valid = both & made.valid & wanted.valid
    if not valid.any():
        return {}
    one, other = split(made.rows[valid]), split(wanted.rows[valid])
    expression, angles, translation = (
        np.abs(getattr(one, part) - getattr(other, part)) for part in ("expression", "angles", "translation")
    )
    return {
        "aed_bfm": float(expression.mean()),
        "apd_angles_bfm": float(angles.mean()),
        "apd_translation_bfm": float(np.concatenate([angles, translation], axis=1).mean()),
    }
