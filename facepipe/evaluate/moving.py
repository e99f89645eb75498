"""What a source's face is to do in a case, in the basis that its renderer draws from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facepipe.evaluate.footage import Eyes, Floats, Footage, face_points
from facepipe.evaluate.manifest import Task
from facepipe.evaluate.pixels import Picture
from facepipe.face.bfm.estimation import CoefficientRegressor, estimate
from facepipe.settings import MotionSettings
from facepipe.spaces.bfm.coefficients import BfmCoefficients, from_estimate
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.retargeting import Retargeting
from facepipe.spaces.smoothing import Smoothing, smoothed

if TYPE_CHECKING:
    from facepipe.rendering.spec import FrameRenderer

OURS = {"same": Retargeting(reference="first", scale="driver"), "cross": Retargeting()}
#: As settings have it where nothing is said; the published renderer is steered by what is not smoothed.
SMOOTHING: Smoothing = MotionSettings.smoothing
#: As the published renderer is steered: by the driver's state itself, across identities in the source's scale.
PUBLISHED = {"same": Retargeting(motion="absolute", scale="driver"), "cross": Retargeting(motion="absolute")}


@dataclass(frozen=True)
class Moved:
    """A motion of which some frames are drawn."""

    own: Coefficients
    """The source's state, one row."""
    motion: Coefficients
    frames: NDArray[np.intp]
    """(N,) those of its rows that are drawn; the others are what lies around them."""
    points: Floats
    """(N, 478, 3) where the face then is, in pixels of the picture."""

    def drawn(self, draw: FrameRenderer) -> Iterator[Picture]:
        """Yield the frames, those in one go that follow each other."""
        for run in np.split(self.frames, np.flatnonzero(np.diff(self.frames) > 1) + 1):
            yield from draw(self.motion, int(run[0]), int(run[-1]) + 1)


def moved(task: Task, driver: Footage, source: Footage, eyes: Eyes) -> Moved:
    """Lay the driver's motion on the source, in the basis `facepipe`."""
    own = source.coefficients.rows(0, 1)
    motion = own.space.retarget(own, smoothed(driver.coefficients, SMOOTHING), OURS[task], eyes.model).taken(
        driver.frames
    )
    return Moved(own, motion, np.arange(len(motion)), _points(task, motion, driver, source, eyes))


def moved_as_official(
    task: Task, driver: Footage, source: Footage, eyes: Eyes, regressor: CoefficientRegressor
) -> Moved:
    """Do the same in the basis `bfm`, as `facepipe reenact --basis bfm` does it; raise InputError, NoFaceError.

    All frames that were read are estimated, not those alone that are judged: what lies around a frame steers it too.
    """
    driving = estimated_in(driver, regressor)
    own = (driving if source is driver else estimated_in(source, regressor)).rows(0, 1)
    seen = source.coefficients.space.retarget(
        source.coefficients.rows(0, 1), driver.coefficients, PUBLISHED[task], eyes.model
    )
    # The published rule changes the scale alone: the face is drawn where the driver's lies in its own crop.
    placed = np.column_stack([driver.coefficients.translation[:, :2], seen.translation[:, 2]])
    points = _points(task, replace(seen, translation=placed).taken(driver.frames), driver, source, eyes)
    return Moved(own, own.space.retarget(own, driving, PUBLISHED[task], eyes.model), driver.frames, points)


def _points(task: Task, motion: Coefficients, driver: Footage, source: Footage, eyes: Eyes) -> Floats:
    # Of a clip that is repeated the driver's own state, which is not an estimate by way of its first frame.
    return face_points(driver.motion() if task == "same" else motion, eyes.model, source.size)


def estimated_in(footage: Footage, regressor: CoefficientRegressor) -> BfmCoefficients:
    """Return the coefficients of all frames that were read of footage of 256 pixels; raise InputError, NoFaceError."""
    own, whole = footage.coefficients, replace(footage, frames=np.arange(len(footage.sixty_eight)))
    found = estimate(regressor, whole.pictures(), footage.sixty_eight, own.valid)
    return from_estimate(found, fps=own.fps, crop=own.crop, picture_size=own.picture_size)
