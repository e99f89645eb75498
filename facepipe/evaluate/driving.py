"""The motion and the renderer of a case, from the stages that `facepipe reenact` runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.engine import Job
from facepipe.evaluate.pixels import Picture
from facepipe.face.cropping import SquareCrop
from facepipe.face.track import load_track
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Made, path_of, perception_weights
from facepipe.pipeline.reenact import FittedInputs, Inputs, check_inputs, fit
from facepipe.pipeline.rendering import Scene, move, open_scene, prepare_source, source_files
from facepipe.renderers import RENDERERS, is_mixed
from facepipe.rendering import matting
from facepipe.rendering.background import Composition
from facepipe.rendering.filling import without_person
from facepipe.rendering.source import Source
from facepipe.rendering.spec import MATTING
from facepipe.spaces import linear478
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients


@dataclass(frozen=True)
class DrivenMotion:
    """A source, and the motion that a driver gives it, as files of finished stages."""

    scene: Scene
    motion: Coefficients
    """One row for each frame of the driver, in the renderer's motion space."""
    prepared: Made | None

    def source(self) -> Source:
        """Read the source, with its coefficients in the renderer's motion space."""
        return source_files(self.scene, self.prepared).load(self.motion.space)

    def source_crop(self) -> SquareCrop:
        """Return the position of the source's crop in its picture."""
        return load_track(path_of(self.scene.fitted.crop, "track.npz")).crop

    def rendered(self, frames: NDArray[np.intp]) -> Iterator[Picture]:
        """Yield the frames with the given numbers, not encoded. Consecutive frames are rendered in one call.

        Frames with alpha are over the background of the source, with the person filled in.
        """
        draw, compose = open_scene(self.scene, self.prepared), self._composition()
        for run in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
            for frame in draw(self.motion, int(run[0]), int(run[-1]) + 1):
                yield compose(frame) if compose else frame

    def _composition(self) -> Composition | None:
        """Return what composes frames with alpha over the source's own background; None for a renderer without."""
        name = self.scene.options.renderer
        if not RENDERERS[name].has_alpha:
            return None
        source = self.source()
        matte = source.matte
        if matte is None:
            matte = matting.open_matting(self.scene.weights[MATTING].path)(source.picture)
        files = {key: file.path for key, file in self.scene.weights.items()}
        return Composition(without_person(source.picture, matte), own=True, mixed=is_mixed(name, files))


def drive(job: Job, source: Path, driver: Path, options: Options) -> DrivenMotion:
    """Run the stages `crop`, `coefficients`, `motion` (for the whole clip) and `prepare`.

    Raises PrecheckError, InputError, NoFaceError and WeightsError.
    """
    fitted = fit(job, check_inputs(job, source, driver, options))
    return DrivenMotion(fitted.scene, _retarget(job, fitted), prepare_source(job, fitted.scene))


def face_motion(job: Job, driven: DrivenMotion) -> Coefficients:
    """Return the motion of the rendered face in the space linear478, for renderers of any space."""
    scene = driven.scene
    if driven.motion.space.is_linear:
        return driven.motion
    options = replace(scene.options, space=linear478.SPACE.name)
    weights = perception_weights(options)
    fitted = fit(job, Inputs(source=scene.source, driver=scene.driver, options=options, weights=weights))
    retargeted = _retarget(job, fitted)
    if options.retargeting.motion != "absolute":
        return retargeted
    # Absolute motion in the space bfm only changes the scale: the face has the driver's position in its crop.
    assert fitted.driver is not None
    driving = load_coefficients(path_of(fitted.driver.coefficients, "coefficients.npz"))
    return replace(retargeted, translation=np.column_stack([driving.translation[:, :2], retargeted.translation[:, 2]]))


def _retarget(job: Job, fitted: FittedInputs) -> Coefficients:
    made = move(job, fitted.scene, fitted.motion_inputs, fitted.params, label="motion", frames=fitted.frames)
    return load_coefficients(path_of(made, "motion.npz"), space=None)
