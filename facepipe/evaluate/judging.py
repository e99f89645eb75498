"""The measures of one case: scores and stills of its candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.engine import Job, Workspace
from facepipe.errors import InputError, NoFaceError
from facepipe.evaluate.bfm import distances, estimated
from facepipe.evaluate.frechet import Moments
from facepipe.evaluate.manifest import Case, Task
from facepipe.evaluate.meter import AppearanceStats, Meter, Truth
from facepipe.evaluate.networks import Networks
from facepipe.evaluate.pixels import Box, Floats, Picture, lip_box
from facepipe.evaluate.signals import SIGNALS, Followed, correlation, follow
from facepipe.evaluate.staging import RESULT, UNMOVED, Setting, StagedCase, stage_case
from facepipe.evaluate.tracked_clip import FaceTracker
from facepipe.face import topology as at
from facepipe.face.bfm.estimation import Estimate
from facepipe.face.cropping import outer_eye_distance, whole_picture
from facepipe.face.fitting import fit
from facepipe.face.matte_remarks import EMPTY_SHARE
from facepipe.face.model import FaceModel
from facepipe.face.track import Track
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.spaces.coefficients import Coefficients, from_fit

DRIVER, STILLS, QUALITY = "driver", 7, 95
# If the first face of a result is farther from the driver's than this, it shows another section of the picture.
MAX_SHIFT_EYE_DISTANCES, MAX_SCALE = 0.35, 1.3


@dataclass(frozen=True)
class Judged:
    """One case, judged."""

    case: Case
    task: Task
    frames: int
    scores: Mapping[str, Mapping[str, float]]
    """By candidate and measure; a measure that could not be computed is absent or nan."""
    followed: Mapping[str, Followed]
    """By candidate: its signals beside the driver's, from the embedded landmarker."""
    stills: Mapping[str, Sequence[Picture]]
    """Frames at a few moments, the same for the driver and each candidate."""
    mouths: Mapping[str, Picture]
    """The mouth in the frame with the driver's widest mouth opening."""


@dataclass
class Judge:
    """Judges cases one by one, and accumulates the measures over all cases."""

    setting: Setting
    tracker: FaceTracker
    networks: Networks
    workspace: Workspace
    """The folder in which the stages store their results."""
    out: Path
    matting: Callable[[Picture], NDArray[np.floating]] | None = None
    """Returns the matte, (S, S) in [0, 1], inside which the candidates are compared; None to compare whole pictures."""
    features: dict[str, Moments] = field(default_factory=dict)
    """Picture features by candidate, and of the drivers, if the network for FID is registered."""

    def judge(self, case: Case) -> Judged:
        """Run the stages, write OUT/NAME/clips/CASE.mp4 of each candidate, and measure; raise FacepipeError."""
        paths = {role: str(path.absolute()) for role, path in case.inputs().items()}
        identity = {"command": "evaluate", "task": self.setting.task, "renderer": self.setting.renderer, **paths}
        # The job stays open until everything is measured, because `facepipe clean` waits for running jobs.
        with Job(self.workspace, identity) as job:
            return self._measured(stage_case(job, case, self.setting, self.tracker.model))

    def _measured(self, staged: StagedCase) -> Judged:
        album = Album(staged)
        scores = self._stream(staged, album)
        followed = {}
        wanted = self._estimate(staged, DRIVER, staged.driver.points, staged.driver.valid)
        for name in staged.candidates:
            track = self._track(staged, name)
            found, signals = landmark_scores(staged, name, track, self.tracker.model)
            scores[name] |= found
            if signals is not None:
                followed[name] = signals
            made = self._estimate(staged, name, track.points, track.valid)
            if wanted and made:
                scores[name] |= distances(made, wanted, staged.counted())
        count = len(staged.driver.frames)
        return Judged(staged.case, staged.task, count, scores, followed, album.stills, album.mouths)

    def _estimate(self, staged: StagedCase, name: str, points: Floats, valid: NDArray[np.bool_]) -> Estimate | None:
        """Estimate Deep3DFaceRecon's coefficients of a written clip; None if its network is not registered."""
        if self.networks.regressor is None:
            return None
        path = self.out / name / "clips" / f"{staged.case.name}.mp4"
        rows = self.tracker.model.sixty_eight
        count = len(staged.driver.frames)
        return estimated(self.networks.regressor, decode_frames(path), points[:count, rows], valid[:count])

    def _stream(self, staged: StagedCase, album: Album) -> dict[str, dict[str, float]]:
        """Render and measure frame by frame, all candidates side by side."""
        same, first, place = staged.task == "same", staged.source, staged.source_points
        driver, source, count = AppearanceStats(), AppearanceStats(), len(staged.driver.frames)
        source.add(first, place)
        meters = {name: Meter(self.networks, self._moments(name), first, place, same) for name in staged.candidates}
        places = album.driver_points
        with ExitStack() as open_files:
            writers = {
                name: open_files.enter_context(self._writer(staged, name)) for name in (DRIVER, *staged.candidates)
            }
            streams = {name: one.pictures() for name, one in staged.candidates.items()}
            points = {name: _each(one.points) for name, one in staged.candidates.items()}
            for number, truth in zip(range(count), staged.driver.pictures(), strict=False):
                made = {name: next(stream) for name, stream in streams.items()}
                album.look(number, {DRIVER: truth, **made})
                for name, picture in {DRIVER: truth, **made}.items():
                    writers[name].write(picture)
                found = {name: next(rows) for name, rows in points.items()}
                # In the task "same" frame 0 is the source itself.
                if number or not same:
                    frame = self._truth(truth, places[number], same=same)
                    driver.add(truth, frame.points, frame.matte)
                    if self.networks.features:
                        self._moments(DRIVER).add(self.networks.features(truth)[None])
                    for name, meter in meters.items():
                        meter.add(made[name], found[name], frame)
        _check_person(staged, meters)
        return {name: meter.scores(driver, source) for name, meter in meters.items()}

    def _truth(self, picture: Picture, points: Floats, *, same: bool) -> Truth:
        """Return a frame of the driver with what all candidates need of it."""
        if not same:
            return Truth(picture, points)
        matte = self.matting(picture) if self.matting else None
        if matte is not None and matte.mean() < EMPTY_SHARE:
            matte = np.zeros_like(matte)
        return Truth(picture, points, matte, self.networks.face.maps(picture, points))

    def _moments(self, name: str) -> Moments:
        return self.features.setdefault(name, Moments())

    def _writer(self, staged: StagedCase, name: str) -> VideoWriter:
        path = self.out / name / "clips" / f"{staged.case.name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        return VideoWriter(path, size=(staged.size, staged.size), fps=staged.driver.info.fps, quality=QUALITY)

    def _track(self, staged: StagedCase, name: str) -> Track:
        """Return the landmarks of a written clip; for the unmoved candidate, those of the source."""
        count = len(staged.driver.frames)
        if name == UNMOVED:
            points = np.repeat(staged.source_points[None], count, axis=0).astype(np.float32)
            return Track(points, np.ones(count, bool), np.ones(count, np.float32))
        return self.tracker.track(decode_frames(self.out / name / "clips" / f"{staged.case.name}.mp4"))


@dataclass
class Album:
    """Stills of a few moments of a case."""

    staged: StagedCase
    stills: dict[str, list[Picture]] = field(default_factory=dict)
    mouths: dict[str, Picture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose the moments: evenly spaced, and the one with the driver's widest mouth opening."""
        points, valid = self.staged.driver.points, self.staged.driver.valid
        # Frames without a face have zero points, but need a box: that of the last frame with a face before them or, at
        # the beginning, of the first one.
        self.driver_points = points.astype(np.float32)
        for lost in np.flatnonzero(~valid):
            self.driver_points[lost] = self.driver_points[lost - 1] if lost else points[np.argmax(valid)]
        gap = np.linalg.norm(
            (points[:, list(at.LIP_INNER_UPPER)] - points[:, list(at.LIP_INNER_LOWER)])[..., :2], axis=-1
        ).mean(1)
        self.widest = int(np.argmax(gap / np.maximum(outer_eye_distance(self.driver_points), 1e-6)))
        self.moments = frozenset(np.linspace(0, len(points) - 1, STILLS).astype(int).tolist()) | {self.widest}

    def look(self, number: int, pictures: Mapping[str, Picture]) -> None:
        """Store the frame if it is one of the moments."""
        if number not in self.moments:
            return
        for name, picture in pictures.items():
            self.stills.setdefault(name, []).append(picture)
            if number == self.widest:
                place = self.driver_points if name == DRIVER else self.staged.candidates[name].points
                points = place[number if len(place) > 1 else 0]
                self.mouths[name] = square_around(picture, lip_box(points, picture.shape))


def _check_person(staged: StagedCase, meters: Mapping[str, Meter]) -> None:
    """Raise NoFaceError if a clip has no frame whose matte shows a person, so that nothing was compared."""
    if staged.task == "same" and any("psnr" not in meter.totals for meter in meters.values()):
        raise NoFaceError(
            f"{staged.case.driver}: no person was found in the compared frames, so there is nothing inside the matte "
            "to compare; use a clip that shows the head of a person"
        )


def square_around(picture: Picture, box: Box) -> Picture:
    """Return the square section of a picture that contains a box, clipped to the picture."""
    middle, half = (box[0] + box[2]) // 2, max(box[2] - box[0], box[3] - box[1]) // 2
    top, left = max(0, (box[1] + box[3]) // 2 - half), max(0, middle - half)
    return picture[top : top + 2 * half, left : left + 2 * half]


def _each(points: Floats) -> Iterator[Floats]:
    return iter(points) if len(points) > 1 else repeat(points[0])


def landmark_scores(
    staged: StagedCase, name: str, track: Track, model: FaceModel
) -> tuple[dict[str, float], Followed | None]:
    """Return the scores of a candidate by the embedded landmarker, and its signals beside the driver's."""
    driver, count = staged.driver, len(staged.driver.frames)
    points, valid = track.points[:count].astype(np.float64), track.valid[:count]
    scores = {"seen": float(valid.mean())}
    both = valid & driver.valid & staged.counted()
    if staged.task == "same":
        _check_place(staged, name, points[0], bool(valid[0]))
    if not both.any():
        return scores, None
    own = driver.coefficients.identity if staged.task == "same" else None
    fitted = fit(model, points, valid, identity=None if own is None else np.asarray(own, np.float64))
    whole = whole_picture(staged.size)
    fps = driver.coefficients.fps
    made = from_fit(fitted, valid, fps=fps, crop=whole, picture_size=(staged.size, staged.size))
    scores |= coefficient_distances(made, driver.motion(), both)
    if staged.task == "same":
        apart = np.linalg.norm(points[both, :, :2] - driver.points[both, :, :2], axis=-1).mean(1)
        scores["landmarks"] = float(np.mean(apart / outer_eye_distance(driver.points[both])))
    else:
        # The same number of frames as the result, because a fit to more frames moves farther from the mean face.
        still = np.repeat(staged.source_points[None], count, axis=0)
        source = fit(model, still, np.ones(count, bool)).identity
        scores["shape"] = shape_distance(made.identity, source, model)
        scores["shape_driver"] = shape_distance(made.identity, driver.coefficients.identity, model)
    if name == UNMOVED:
        return scores, None
    followed = follow(driver.points, driver.valid, points, valid, model)
    if followed is not None:
        scores |= {one: correlation(followed.wanted[one], followed.got[one]) for one in SIGNALS}
    return scores, followed


def coefficient_distances(made: Coefficients, wanted: Coefficients, both: NDArray[np.bool_]) -> dict[str, float]:
    """Return the mean absolute differences of coefficients over the frames of `both`."""
    expression, angles, translation = (
        np.abs(getattr(made, part)[both] - getattr(wanted, part)[both])
        for part in ("expression", "angles", "translation")
    )
    return {
        "aed": float(expression.mean()),
        "apd_angles": float(angles.mean()),
        "apd_translation": float(np.concatenate([angles, translation], axis=1).mean()),
    }


def shape_distance(first: Floats, second: Floats, model: FaceModel) -> float:
    """Return the root mean square distance of the points of two identities' faces at rest, in outer-eye distances."""
    apart = np.tensordot(first - second, model.identity, 1)
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=-1))))


def _check_place(staged: StagedCase, name: str, points: Floats, there: bool) -> None:
    """Raise InputError if a finished result shows another section of the picture than its driver."""
    if staged.case.result is None or name != RESULT or not there:
        return
    own = staged.driver.points[0]
    unit = float(outer_eye_distance(own))
    shift = float(np.linalg.norm((points - own)[:, :2].mean(0))) / unit
    scale = float(outer_eye_distance(points)) / unit
    if shift > MAX_SHIFT_EYE_DISTANCES or not 1 / MAX_SCALE < scale < MAX_SCALE:
        raise InputError(
            f"{staged.case.result}: the face in its first frame is not where it is in {staged.case.driver} (shift "
            f"{shift:.1f} outer-eye distances, scale {scale:.2f}); crop the driver to the section that the result shows"
        )
