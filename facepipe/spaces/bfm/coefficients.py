"""Coefficients in the space `bfm`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facepipe.face.bfm.layout import Row, split
from facepipe.face.cropping import SquareCrop
from facepipe.spaces.bfm import SPACE
from facepipe.spaces.coefficients import Coefficients, Floats

if TYPE_CHECKING:
    from facepipe.face.bfm.estimation import Estimate


@dataclass(frozen=True, kw_only=True)
class BfmCoefficients(Coefficients):
    """Coefficients of T frames in the space `bfm`; groups and axes in `facepipe.face.bfm.layout`.

    `identity` is (T, 80), estimated in each frame, and `translation` is that within the aligned square. `picture_size`
    is that of the picture; the coefficients were estimated from its crop at 256x256 pixels.
    """

    texture: Floats
    """(T, 80)"""
    lighting: Floats
    """(T, 27)"""
    crops: Floats
    """(T, 3) scale, x and y of the alignment in the crop of 256x256 pixels; y up from the bottom row."""
    space_name: str = SPACE.name

    def descriptor_rows(self) -> Floats:
        """Return (T, 73): expression, angles, translation, crop."""
        return np.concatenate([self.expression, self.angles, self.translation, self.crops], axis=1)


def from_estimate(
    found: Estimate,
    *,
    fps: Fraction,
    crop: SquareCrop,
    picture_size: tuple[int, int],
    shot: NDArray[np.int32] | None = None,
) -> BfmCoefficients:
    """Return the coefficients of an estimate from crops of 256x256 pixels. Without `shot`, all frames are one shot."""
    groups = split(found.rows)
    return BfmCoefficients(
        **{one.name: getattr(groups, one.name) for one in fields(Row)},
        crops=found.crops,
        valid=found.valid,
        residual=found.residual,
        fps=fps,
        crop=crop,
        picture_size=picture_size,
        shot=np.zeros(len(found.valid), np.int32) if shot is None else shot,
    )
