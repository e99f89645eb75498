"""The source: the portrait that a renderer animates."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, transform_points
from facepipe.face.fitting import Fit
from facepipe.face.pose import Similarity
from facepipe.face.track import load_track
from facepipe.media.image import read_image
from facepipe.spaces import MotionSpace
from facepipe.spaces.coefficients import Coefficients, from_fit
from facepipe.spaces.files import load_coefficients

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """A portrait, cropped to its face, with its landmarks and coefficients."""

    picture: Picture
    """(S, S, 3) RGB, the crop."""
    points: NDArray[np.floating]
    """(478, 3) landmarks in pixels of the picture."""
    coefficients: Coefficients
    """One row, the portrait's own, in the renderer's motion space."""
    matte: NDArray[np.floating] | None = None
    """(S, S) in [0, 1], the share of the person in each pixel of the picture; None if the renderer does not need it."""
    more: tuple[Source, ...] = ()
    """Further pictures of the same person, of the same size, each with its own points, coefficients and matte; the
    first is the picture that is animated. Only for a renderer that pools several, and only in its `prepare`."""

    @property
    def pose(self) -> Similarity:
        """One row, in pixels of the picture. Only in the space `linear478`."""
        return self.coefficients.rows(0, 1).pose(len(self.picture))

    @property
    def identity(self) -> NDArray[np.floating]:
        """(80,). Only in the space `linear478`."""
        return self.coefficients.identity

    @property
    def expression(self) -> NDArray[np.floating]:
        """(64,), from the first row."""
        return np.asarray(self.coefficients.expression[0])


def source_of_fit(picture: Picture, points: NDArray[np.floating], fit: Fit, row: int = 0) -> Source:
    """Return a source from one row of a fit.

    Args:
        picture: (S, S, 3) uint8 RGB.
        points: (478, 3) landmarks in pixels of `picture`.
        fit: The fit to points in pixels of `picture`.
        row: The row of the fit.
    """
    side = len(picture)
    whole = SquareCrop((side - 1) / 2, (side - 1) / 2, side)
    valid = np.ones(len(fit.expression), bool)
    fitted = from_fit(fit, valid, fps=Fraction(25), crop=whole, picture_size=(side, side))
    return Source(picture, points, fitted.rows(row, row + 1))


@dataclass(frozen=True)
class SourceFiles:
    """Files of finished stages, from which a source is loaded."""

    picture: Path
    """The crop, from the stage `crop`."""
    track: Path
    """From the stage `crop`."""
    coefficients: Path
    """From the stage `coefficients`."""
    prepared: Path | None = None
    """From the stage `prepare`; None for a renderer without a `prepare` function."""
    matte: Path | None = None
    """From the stage `matte`, a greyscale PNG of the crop; None for a renderer that needs no matte."""
    more: tuple[SourceFiles, ...] = ()
    """The files of further pictures of the same person."""

    def load(self, space: MotionSpace) -> Source:
        """Load the source. Raises InputError if the coefficients are of another space."""
        picture, track = read_image(self.picture), load_track(self.track)
        points = transform_points(track.track.points[0].astype(np.float64), track.crop.matrix(picture.shape[0]))
        matte = read_image(self.matte)[..., 0] / np.float32(255) if self.matte else None
        more = tuple(one.load(space) for one in self.more)
        return Source(picture, points, load_coefficients(self.coefficients, space=space), matte, more)
