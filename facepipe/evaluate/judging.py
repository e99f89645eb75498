"""Judging one case: everything that is measured of its contenders, and stills to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.evaluate.bfm import distances, estimated
from facepipe.evaluate.footage import Eyes, Floats
from facepipe.evaluate.frechet import Moments
from facepipe.evaluate.manifest import Case, Task
from facepipe.evaluate.meter import Look, Meter
from facepipe.evaluate.networks import Networks
from facepipe.evaluate.pixels import Box, Picture, lip_box
from facepipe.evaluate.scene import UNMOVED, Scene, Setting, set_up
from facepipe.evaluate.signals import SIGNALS, Followed, correlation, follow
from facepipe.face import topology as at
from facepipe.face.bfm.estimation import Estimate
from facepipe.face.cropping import outer_eye_distance, whole_picture
from facepipe.face.fitting import fit
from facepipe.face.model import FaceModel
from facepipe.face.track import Track
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.spaces.coefficients import Coefficients, from_fit

DRIVER, STILLS, QUALITY = "driver", 7, 95
# A result whose face does not begin where the driver's does shows another part of the picture.
MOST_SHIFT_EYE_DISTANCES, MOST_SCALE = 0.35, 1.3


@dataclass(frozen=True)
class Judged:
    """One case, judged."""

    case: Case
    task: Task
    frames: int
    scores: Mapping[str, Mapping[str, float]]
    """By contender and measure; what could not be measured is not there, or nan."""
    followed: Mapping[str, Followed]
    """By contender, as far as our own landmarks see it."""
    stills: Mapping[str, Sequence[Picture]]
    """A few moments, the same of the driver and of each contender."""
    mouths: Mapping[str, Picture]
    """The mouth where the driver's is widest open."""


@dataclass
class Judge:
    """Judges one case after the other, and gathers what is measured over all of them."""

    setting: Setting
    eyes: Eyes
    networks: Networks
    out: Path
    features: dict[str, Moments] = field(default_factory=dict)
    """By contender, and of the drivers: the pictures' features, where the network for FID is registered."""

    def judge(self, case: Case) -> Judged:
        """Render what is to be rendered, write OUT/NAME/clips/CASE.mp4 for each, and measure; raise FacepipeError."""
        scene = set_up(case, self.setting, self.eyes, self.networks.regressor)
        album = Album(scene)
        scores = self._stream(scene, album)
        followed = {}
        wanted = self._estimate(scene, DRIVER, scene.driver.points, scene.driver.valid)
        for name in scene.contenders:
            track = self._track(scene, name)
            found, signals = landmark_scores(scene, name, track, self.eyes.model)
            scores[name] |= found
            if signals is not None:
                followed[name] = signals
            made = self._estimate(scene, name, track.points, track.valid)
            if wanted and made:
                scores[name] |= distances(made, wanted, scene.moving())
        return Judged(case, scene.task, len(scene.driver.frames), scores, followed, album.stills, album.mouths)

    def _estimate(self, scene: Scene, name: str, points: Floats, valid: NDArray[np.bool_]) -> Estimate | None:
        """Return what Deep3DFaceRecon sees in what was written, where its network is registered."""
        if self.networks.regressor is None:
            return None
        path = self.out / name / "clips" / f"{scene.case.name}.mp4"
        rows = self.eyes.model.sixty_eight
        count = len(scene.driver.frames)
        return estimated(self.networks.regressor, decode_frames(path), points[:count, rows], valid[:count])

    def _stream(self, scene: Scene, album: Album) -> dict[str, dict[str, float]]:
        """Draw and measure frame by frame, all contenders side by side."""
        same, first = scene.task == "same", scene.source.still()
        driver, source, count = Look(), Look(), len(scene.driver.frames)
        source.add(first, scene.source.points[0])
        meters = {
            name: Meter(self.networks, self._moments(name), first, scene.source.points[0], same)
            for name in scene.contenders
        }
        places = album.driver_points
        with ExitStack() as open_files:
            writers = {
                name: open_files.enter_context(self._writer(scene, name)) for name in (DRIVER, *scene.contenders)
            }
            streams = {name: contender.pictures() for name, contender in scene.contenders.items()}
            points = {name: _each(contender.points) for name, contender in scene.contenders.items()}
            for number, truth in zip(range(count), scene.driver.pictures(), strict=False):
                made = {name: next(stream) for name, stream in streams.items()}
                album.look(number, {DRIVER: truth, **made})
                for name, picture in {DRIVER: truth, **made}.items():
                    writers[name].write(picture)
                found = {name: next(rows) for name, rows in points.items()}
                # Frame 0 is the source itself, where a clip is repeated from it.
                if number or not same:
                    driver.add(truth, places[number])
                    if self.networks.features:
                        self._moments(DRIVER).add(self.networks.features(truth)[None])
                    for name, meter in meters.items():
                        meter.add(made[name], found[name], truth)
        return {name: meter.scores(driver, source) for name, meter in meters.items()}

    def _moments(self, name: str) -> Moments:
        return self.features.setdefault(name, Moments())

    def _writer(self, scene: Scene, name: str) -> VideoWriter:
        path = self.out / name / "clips" / f"{scene.case.name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert scene.driver.info is not None
        size = scene.driver.size if name == DRIVER else scene.size
        return VideoWriter(path, size=(size, size), fps=scene.driver.info.fps, quality=QUALITY)

    def _track(self, scene: Scene, name: str) -> Track:
        """Return the landmarks of what was written; those of the source, where that stands still."""
        count = len(scene.driver.frames)
        if name == UNMOVED:
            points = np.repeat(scene.source.points[:1], count, axis=0).astype(np.float32)
            return Track(points, np.ones(count, bool), np.ones(count, np.float32))
        return self.eyes.track(decode_frames(self.out / name / "clips" / f"{scene.case.name}.mp4"))


@dataclass
class Album:
    """A few moments of a case, kept to be looked at."""

    scene: Scene
    stills: dict[str, list[Picture]] = field(default_factory=dict)
    mouths: dict[str, Picture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose the moments: evenly over the clip, and the one at which the driver's mouth is widest open."""
        points = self.scene.driver.points
        # Where no face was found the points are zero; no moment with such is of interest, but its box must exist.
        self.driver_points = points.astype(np.float32)
        for lost in np.flatnonzero(~self.scene.driver.valid):
            self.driver_points[lost] = self.driver_points[lost - 1] if lost else self.scene.source.points[0]
        gap = np.linalg.norm(
            (points[:, list(at.LIP_INNER_UPPER)] - points[:, list(at.LIP_INNER_LOWER)])[..., :2], axis=-1
        ).mean(1)
        self.widest = int(np.argmax(gap / np.maximum(outer_eye_distance(self.driver_points), 1e-6)))
        self.moments = frozenset(np.linspace(0, len(points) - 1, STILLS).astype(int).tolist()) | {self.widest}

    def look(self, number: int, pictures: Mapping[str, Picture]) -> None:
        """Keep the frame if it is one of the moments."""
        if number not in self.moments:
            return
        for name, picture in pictures.items():
            self.stills.setdefault(name, []).append(picture)
            if number == self.widest:
                place = self.driver_points if name == DRIVER else self.scene.contenders[name].points
                points = place[number if len(place) > 1 else 0]
                self.mouths[name] = square_around(picture, lip_box(points, picture.shape))


def square_around(picture: Picture, box: Box) -> Picture:
    """Return the square part of a picture that holds a box, as far as the picture reaches."""
    middle, half = (box[0] + box[2]) // 2, max(box[2] - box[0], box[3] - box[1]) // 2
    top, left = max(0, (box[1] + box[3]) // 2 - half), max(0, middle - half)
    return picture[top : top + 2 * half, left : left + 2 * half]


def _each(points: Floats) -> Iterator[Floats]:
    return iter(points) if len(points) > 1 else repeat(points[0])


def landmark_scores(
    scene: Scene, name: str, track: Track, model: FaceModel
) -> tuple[dict[str, float], Followed | None]:
    """Return what our own landmarks tell of a contender, and its signals beside the driver's."""
    driver, count = scene.driver, len(scene.driver.frames)
    points, valid = track.points[:count].astype(np.float64), track.valid[:count]
    scores = {"seen": float(valid.mean())}
    both = valid & driver.valid & scene.moving()
    if scene.task == "same":
        _check_place(scene, name, points[0], bool(valid[0]))
    if not both.any():
        return scores, None
    own = driver.coefficients.identity if scene.task == "same" else None
    fitted = fit(model, points, valid, identity=None if own is None else np.asarray(own, np.float64))
    whole = whole_picture(scene.size)
    fps = driver.coefficients.fps
    made = from_fit(fitted, valid, fps=fps, crop=whole, picture_size=(scene.size, scene.size))
    scores |= coefficient_distances(made, driver.motion(), both)
    if scene.task == "same":
        apart = np.linalg.norm(points[both, :, :2] - driver.points[both, :, :2], axis=-1).mean(1)
        scores["landmarks"] = float(np.mean(apart / outer_eye_distance(driver.points[both])))
    else:
        # As many frames as there are of the result: the more a fit is shown, the farther it dares to go from the mean.
        still = np.repeat(scene.source.points[:1], count, axis=0)
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


def _check_place(scene: Scene, name: str, points: Floats, there: bool) -> None:
    """Raise InputError for a finished result that shows another part of the picture than its driver."""
    if scene.case.result is None or name != "result" or not there:
        return
    own = scene.driver.points[0]
    unit = float(outer_eye_distance(own))
    shift = float(np.linalg.norm((points - own)[:, :2].mean(0))) / unit
    scale = float(outer_eye_distance(points)) / unit
    if shift > MOST_SHIFT_EYE_DISTANCES or not 1 / MOST_SCALE < scale < MOST_SCALE:
        raise InputError(
            f"{scene.case.result}: its first frame does not show the face where {scene.case.driver} does (moved by "
            f"{shift:.1f} outer-eye distances, {scale:.2f} times as large). Crop the driver to what the result shows"
        )
