"""A case through the stages: the driver's frames, the source, and the candidates that are compared with the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.engine import Job
from facepipe.errors import InputError
from facepipe.evaluate.driving import DrivenMotion, drive, face_motion
from facepipe.evaluate.manifest import Case, Task
from facepipe.evaluate.pixels import Floats, Picture
from facepipe.evaluate.tracked_clip import TrackedClip, compared_area, face_points, read_frames, track_clip
from facepipe.face.cropping import SquareCrop, sample
from facepipe.face.model import FaceModel
from facepipe.media.image import read_image
from facepipe.media.info import VideoInfo
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import path_of
from facepipe.renderers import RENDERERS, mesh
from facepipe.rendering.compositing import Paste
from facepipe.rendering.spec import RendererSpec
from facepipe.requests.reenact import ReenactRequest
from facepipe.requests.resolution import options_for
from facepipe.settings import Settings

RESULT, BASELINE, UNMOVED = "result", mesh.SPEC.name, "unmoved"
"""Names of the candidates: the result under test, the baseline renderer, and the repeated source."""
SPARE_FRAMES = 2
"""Maximum difference between the numbers of frames of a finished result and its driver."""
ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True)
class Setting:
    """The parameters of an evaluation, the same for all cases."""

    task: Task
    renderer: str = BASELINE
    weights: str = ""
    """Registry name of the renderer's network; empty for the renderer's own."""
    size: int = 256
    """Width and height in pixels at which frames are rendered and compared."""
    frames_per_clip: int = 0
    """Number of compared frames per clip, evenly spaced; 0 for all."""
    first_second: float = 0.0
    """Second of each clip from which frames are compared; the source of the task "same" is the frame at it."""

    @property
    def spec(self) -> RendererSpec:
        """The renderer under test."""
        return RENDERERS[self.renderer]

    @property
    def inside_matte(self) -> bool:
        """Whether candidates are compared inside the matte of the driver's person, because frames have alpha."""
        return self.spec.has_alpha and self.task == "same"

    def first_frame(self, driver: Path) -> int:
        """Return the number of the first compared frame. Raises InputError if the clip ends before the next one."""
        if not self.first_second:
            return 0
        info = probe_video(driver)
        first, count = round(self.first_second * info.fps), info.frame_count_estimate
        if first > count - 2:
            raise InputError(
                f"{driver}: has {float(count / info.fps):.1f} s, but evaluation begins at {self.first_second:g} s; "
                "choose an earlier second or a longer clip"
            )
        return first

    def renderers(self, *, finished: bool) -> dict[str, str]:
        """Return, by candidate, the renderers of a case: that under test, unless the result is finished, and others.

        The others are the baseline and those that the spec names. No renderer stands beside itself.
        """
        tested = {} if finished else {RESULT: self.renderer}
        others = dict.fromkeys((BASELINE, *self.spec.compared_with))
        return tested | {name: name for name in others if name not in tested.values()}

    def request(self, case: Case, renderer: str, size: int) -> ReenactRequest:
        """Return the command that makes the results under test.

        Task "same": `facepipe reenact CLIP CLIP --source-frame 0 --motion relative --reference first`, with the number
        of the first compared frame if it is another; task "cross": `facepipe reenact PORTRAIT CLIP`.
        """
        same = self.task == "same"
        first = self.first_frame(case.driver) if same else 0
        return ReenactRequest(
            source=case.source or case.driver,
            driver=case.driver,
            renderer=renderer,
            weights=(self.weights or None) if renderer == self.renderer else None,
            size=size,
            source_frame=str(first) if same else "best",
            # In every space: absolute motion in the space bfm would place the head as in the driver's own crop, but
            # frames are compared in the source's.
            motion="relative" if same else None,
            reference=(str(first) if first else "first") if same else None,
        )

    def options(self, case: Case, renderer: str, size: int) -> Options:
        """Return the options of the command, independent of the user's settings."""
        return options_for(self.request(case, renderer, size), Settings())


@dataclass(frozen=True)
class Candidate:
    """One way of making the clip: the result under test, or a baseline."""

    pictures: Callable[[], Iterator[Picture]]
    """Yields (S, S, 3) frames, as many as the driver's compared frames."""
    points: Floats
    """(N, 478, 3), or (1, 478, 3) for a still: the landmarks of its frames."""


@dataclass(frozen=True)
class StagedCase:
    """A case, ready to be judged."""

    case: Case
    task: Task
    driver: TrackedClip
    source: Picture
    """(S, S, 3)"""
    source_points: Floats
    """(478, 3) landmarks in pixels of the source."""
    candidates: Mapping[str, Candidate]
    """By name, the result under test first."""

    @property
    def size(self) -> int:
        """Width and height of all pictures."""
        return self.driver.size

    def counted(self) -> NDArray[np.bool_]:
        """Return which frames count, (N,): all of them, but in the task "same" not the first, which is the source."""
        return np.arange(len(self.driver.frames)) >= (self.task == "same")


def stage_case(job: Job, case: Case, setting: Setting, model: FaceModel) -> StagedCase:
    """Run the stages of a case; raise InputError, NoFaceError and WeightsError."""
    given = probe_video(case.result) if case.result else None
    if given:
        _check_result(case, given, probe_video(case.driver), setting.task)
    return (_same if setting.task == "same" else _cross)(job, case, given, setting, model)


def _same(job: Job, case: Case, given: VideoInfo | None, setting: Setting, model: FaceModel) -> StagedCase:
    square = given is not None and given.width == given.height
    size = given.width // 2 * 2 if given and square else setting.size
    driven = _driven(job, case, setting, size)
    crop = _baseline(driven).source_crop()
    area = (compared_area(probe_video(case.driver)) if given else None) or crop
    first = setting.first_frame(case.driver)
    driver = track_clip(job, case.driver, size=size, area=area, frames=setting.frames_per_clip, first=first)
    driver = driver.limited(given.frame_count_estimate) if given else driver
    source = next(driver.pictures())
    # The driver's own face, at whose position the result should be.
    points = face_points(driver.motion(), model, size)
    candidates = {}
    if case.result and given:
        candidates[RESULT] = _beside(case.result, given, driver, points)
    for name, one in driven.items():
        candidates[name] = Candidate(partial(_in_area, one, driver), points)
    candidates[UNMOVED] = Candidate(partial(repeat, source, len(driver.frames)), points)
    return StagedCase(case, "same", driver, source, driver.points[0], candidates)


def _cross(job: Job, case: Case, given: VideoInfo | None, setting: Setting, model: FaceModel) -> StagedCase:
    size = setting.size
    first = setting.first_frame(case.driver)
    driver = track_clip(job, case.driver, size=size, frames=setting.frames_per_clip, first=first)
    driver = driver.limited(given.frame_count_estimate) if given else driver
    candidates = {}
    if case.result and given:
        made = track_clip(job, case.result, size=size, area=compared_area(given))
        if driver.frames[-1] >= len(made.coefficients):
            raise InputError(f"{case.result}: ends before frame {driver.frames[-1]}")
        made = replace(made, frames=driver.frames)
        candidates[RESULT] = Candidate(made.pictures, face_points(made.motion(), model, size))
    driven = _driven(job, case, setting, size)
    for name, one in driven.items():
        points = face_points(face_motion(job, one).taken(driver.frames), model, size)
        candidates[name] = Candidate(partial(one.rendered, driver.frames), points)
    source = _baseline(driven).source()
    still = face_points(source.coefficients.rows(0, 1), model, size)
    candidates[UNMOVED] = Candidate(partial(repeat, source.picture, len(driver.frames)), still)
    return StagedCase(case, "cross", driver, source.picture, source.points, candidates)


def _driven(job: Job, case: Case, setting: Setting, size: int) -> dict[str, DrivenMotion]:
    """Return the motions that are rendered, by candidate: of the renderer under test, and of those beside it."""
    source = case.source or case.driver
    return {
        candidate: drive(job, source, case.driver, setting.options(case, renderer, size))
        for candidate, renderer in setting.renderers(finished=case.result is not None).items()
    }


def _baseline(driven: Mapping[str, DrivenMotion]) -> DrivenMotion:
    return driven[BASELINE] if BASELINE in driven else driven[RESULT]


def _in_area(driven: DrivenMotion, driver: TrackedClip) -> Iterator[Picture]:
    """Yield rendered frames in the driver's area, if necessary pasted back into the source's picture first."""
    crop, pictures = driven.source_crop(), driven.rendered(driver.frames)
    if crop == driver.area:
        return pictures
    full = read_image(path_of(driven.scene.fitted.crop, "picture.png"), NO_LIMITS)
    paste = Paste(full, crop, driver.size)
    return (sample(paste.into_full(picture), driver.area, driver.size) for picture in pictures)


def _check_result(case: Case, given: VideoInfo, driver: VideoInfo, task: Task) -> None:
    """Raise InputError for a finished result of another length than its driver or, in "same", other proportions."""
    have, wanted = given.frame_count_estimate, driver.frame_count_estimate
    if abs(have - wanted) > SPARE_FRAMES:
        raise InputError(
            f"{case.result}: has {have} frames, its driver {case.driver} has {wanted}; both must have "
            "the same number of frames"
        )
    if task == "same" and abs(given.width / given.height - driver.width / driver.height) > ASPECT_TOLERANCE:
        raise InputError(
            f"{case.result}: shows {given.width}x{given.height} pixels, its driver {driver.width}x{driver.height}, so "
            "they cannot show the same section; crop the driver to the section that the result shows, or leave "
            "`result` out to have facepipe render it"
        )


def _beside(result: Path, given: VideoInfo, driver: TrackedClip, points: Floats) -> Candidate:
    """Return a finished result of the task "same", compared in the driver's area."""
    area, ratio = driver.area, given.width / driver.info.width
    # Pixel i covers i - 0.5 to i + 0.5, at either size.
    scaled = SquareCrop((area.center_x + 0.5) * ratio - 0.5, (area.center_y + 0.5) * ratio - 0.5, area.side * ratio)
    return Candidate(partial(read_frames, result, given, driver.frames, scaled, driver.size), points)
