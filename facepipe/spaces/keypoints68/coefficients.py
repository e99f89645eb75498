"""Coefficients in the space `keypoints68`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.keypoints68 import SPACE

if TYPE_CHECKING:
    from typing_extensions import Self

    from facepipe.face.cropping import SquareCrop


@dataclass(frozen=True, kw_only=True)
class KeypointCoefficients(Coefficients):
    """Coefficients of T frames in the space `keypoints68`: those of `linear478`, and the landmarks of each frame."""

    keypoints: Floats
    """(T, 68, 2) x and y of the landmarks of the 300-W convention (`facepipe.face.topology.SIXTY_EIGHT`) from the
    middle of the crop, in half sides of the crop, x right, y down: from -1 to 1 inside the crop."""
    space_name: str = SPACE.name

    def relative_to(self, crop: SquareCrop) -> Self:
        """Return the same state of the same faces relative to another crop of the picture, of the same angle."""
        moved = super().relative_to(crop)
        ratio = self.crop.side / crop.side
        shift = moved.translation[:, :2] - ratio * self.translation[:, :2]
        return replace(moved, keypoints=ratio * self.keypoints + shift[:, None])


def with_keypoints(coefficients: Coefficients, keypoints: Floats) -> KeypointCoefficients:
    """Return coefficients in the space `linear478` or `keypoints68` with (T, 68, 2) landmarks."""
    own = {one.name: getattr(coefficients, one.name) for one in fields(Coefficients) if one.name != "space_name"}
    return KeypointCoefficients(**own, keypoints=np.asarray(keypoints, float))
