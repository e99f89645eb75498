"""Coefficients of a clip: who it is, and what head and face do in each frame. See docs/formats.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop
from facepipe.face.fitting import Fit
from facepipe.face.pose import Similarity, angles_of, rotation_of
from facepipe.models.rows import row_product
from facepipe.spaces import SPACES, MotionSpace, linear478

if TYPE_CHECKING:
    from typing_extensions import Self

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Coefficients:
    """Coefficients of T frames in the space `linear478`, and the base class of those in other spaces."""

    identity: Floats
    """(80,)"""
    expression: Floats
    """(T, 64)"""
    angles: Floats
    """(T, 3) pitch, yaw, roll in radians; axes in `facepipe.face.pose`."""
    translation: Floats
    """(T, 3): x, y of the model's origin from the middle of the crop, in half sides of the crop, x right, y down; z the
    natural logarithm of the length of the model's unit in half sides."""
    valid: NDArray[np.bool_]
    """(T,) frames in which a face was found; `facepipe.spaces.gaps` fills the others."""
    residual: Floats
    """(T,) mean distance of model and landmarks, in outer-eye distances."""
    fps: Fraction
    crop: SquareCrop
    """Position of the crop in the picture, in pixels of the picture."""
    picture_size: tuple[int, int]
    """Width and height of the picture in pixels."""
    space_name: str = linear478.SPACE.name
    shot: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """(T,) number of each frame's shot, from 0, in ascending order. If empty, all frames are of one shot."""

    def __post_init__(self) -> None:
        if not len(self.shot):
            object.__setattr__(self, "shot", np.zeros(len(self), np.int32))

    def __len__(self) -> int:
        return len(self.expression)

    @property
    def space(self) -> MotionSpace:
        """The motion space of these coefficients."""
        return SPACES[self.space_name]

    def pose(self, size_pixels: int) -> Similarity:
        """Return the poses in a crop of `size_pixels`; in spaces that are linear only."""
        assert self.space.is_linear, f"the space {self.space_name} has another camera"
        half, middle = size_pixels / 2, (size_pixels - 1) / 2
        shift = np.concatenate([middle + half * self.translation[:, :2], np.zeros((len(self), 1))], axis=1)
        return Similarity(
            scale=half * np.exp(self.translation[:, 2]), rotation=rotation_of(self.angles), translation=shift
        )

    def relative_to(self, crop: SquareCrop) -> Self:
        """Return the same state of the same faces relative to another crop; in spaces that are linear only.

        The other crop must have the same angle.
        """
        assert self.space.is_linear, f"the space {self.space_name} has another camera"
        assert crop.angle_radians == self.crop.angle_radians, "the crops differ in their angle"
        cos, sin = np.cos(crop.angle_radians), np.sin(crop.angle_radians)
        x, y = self.crop.center_x - crop.center_x, self.crop.center_y - crop.center_y
        moved = (2 / crop.side) * np.array([cos * x + sin * y, cos * y - sin * x])
        ratio = self.crop.side / crop.side
        translation = np.concatenate(
            [moved + ratio * self.translation[:, :2], self.translation[:, 2:] + np.log(ratio)], axis=1
        )
        return replace(self, translation=translation, crop=crop)

    def rows(self, first: int, end: int) -> Self:
        """Return frames `first` up to, not including, `end`."""
        return self.taken(np.arange(first, min(end, len(self))))

    def repeated(self, count: int) -> Self:
        """Return the first frame `count` times."""
        return self.taken(np.zeros(count, int))

    def without(self, frames: NDArray[np.bool_]) -> Self:
        """Return these coefficients less the marked frames."""
        return self.taken(np.flatnonzero(~frames))

    def taken(self, index: NDArray[np.intp]) -> Self:
        """Return the frames of an index, in its order."""
        return replace(self, **{name: getattr(self, name)[index] for name in self.space.per_frame})

    def with_motion(self, expression: Floats, angles: Floats, translation: Floats) -> Self:
        """Return these coefficients with other motion of as many frames."""
        return replace(self, expression=expression, angles=angles, translation=translation)


def joined(parts: Iterable[Coefficients], count: int) -> Coefficients:
    """Join consecutive parts of one face, `count` frames in all, in the float32 precision of files.

    Only one part is in memory besides the result.
    """
    made = 0
    whole: dict[str, Any] = {}
    for part in parts:
        for name in part.space.per_frame:
            rows = getattr(part, name)
            kind = np.float32 if rows.dtype.kind == "f" else rows.dtype
            whole.setdefault(name, np.empty((count, *rows.shape[1:]), kind))[made : made + len(part)] = rows
        made += len(part)
    assert made == count, f"{made} frames of {count}"
    return replace(part, **whole)


def from_fit(
    fit: Fit,
    valid: NDArray[np.bool_],
    *,
    fps: Fraction,
    crop: SquareCrop,
    picture_size: tuple[int, int],
    shot: NDArray[np.int32] | None = None,
) -> Coefficients:
    """Express a fit to points in pixels of the picture relative to a crop. Without `shot`, all frames are one shot."""
    half = crop.side / 2
    turned = rotation_of(np.array([[0.0, 0.0, -crop.angle_radians]]))[0]
    origin = row_product(fit.pose.translation - (crop.center_x, crop.center_y, 0), turned.T) / half
    return Coefficients(
        identity=fit.identity,
        expression=fit.expression,
        angles=angles_of(turned @ fit.pose.rotation),
        translation=np.concatenate([origin[:, :2], np.log(fit.pose.scale / half)[:, None]], axis=1),
        valid=np.asarray(valid, bool),
        residual=fit.residual,
        fps=fps,
        crop=crop,
        picture_size=picture_size,
        shot=np.zeros(len(valid), np.int32) if shot is None else shot,
    )
