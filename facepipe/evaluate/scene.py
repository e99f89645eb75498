"""One case set up: the driver, the source, what the face is to do, and who is to draw it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.evaluate.footage import Eyes, Floats, Footage, chosen, face_points, follow
from facepipe.evaluate.manifest import Case, Task
from facepipe.evaluate.moving import moved, moved_as_official
from facepipe.evaluate.pixels import Picture
from facepipe.face.bfm.estimation import CoefficientRegressor
from facepipe.face.cropping import SquareCrop, whole_picture
from facepipe.media.info import VideoInfo
from facepipe.media.probe import probe_video
from facepipe.pipeline.options import Options
from facepipe.pipeline.rendering import options_for, renderer_weights
from facepipe.renderers import RENDERERS, open_renderer
from facepipe.rendering.source import Source

UNMOVED, MESH = "unmoved", "mesh"
# A result that has so many frames more or less than its driver is not of this driver.
SPARE_FRAMES = 2


@dataclass(frozen=True)
class Contender:
    """One way of making the clip: the result under test, or a baseline."""

    pictures: Callable[[], Iterator[Picture]]
    """(S, S, 3), as many as the driver's frames that are judged."""
    points: Floats
    """(N, 478, 3) or, for a still, (1, 478, 3): where in its pictures the face is."""


@dataclass(frozen=True)
class Scene:
    """A case, ready to be judged."""

    case: Case
    task: Task
    driver: Footage
    source: Footage
    """The driver itself where its first frame is the source."""
    contenders: dict[str, Contender]
    """By name, the result under test first."""

    @property
    def size(self) -> int:
        """Width and height of all pictures."""
        return self.source.size

    def moving(self) -> NDArray[np.bool_]:
        """Return which frames count, (N,): of a clip that is repeated from its first frame, all but that one."""
        return np.arange(len(self.driver.frames)) >= (self.task == "same")


@dataclass(frozen=True)
class Setting:
    """What is the same for all cases."""

    task: Task
    renderer: str = MESH
    weights: str = ""
    """Registry name of the renderer's network, where not its own."""
    size: int = 256
    most: int = 0
    """Frames of a clip that are judged, spread evenly; 0 for all."""
    longest: int | None = None
    """Frames of a clip that are read."""

    def options(self, renderer: str, size: int) -> Options:
        """Return what the job of a renderer would be asked for."""
        network = self.weights if renderer == self.renderer else ""
        return options_for(renderer, weights=network, size_pixels=size)


def set_up(case: Case, setting: Setting, eyes: Eyes, regressor: CoefficientRegressor | None = None) -> Scene:
    """Follow driver, source and, where there is one, the finished result of a case; raise InputError, NoFaceError.

    A renderer of the basis `bfm` needs the regressor.
    """
    return (_same if setting.task == "same" else _cross)(case, setting, eyes, regressor)


def _same(case: Case, setting: Setting, eyes: Eyes, regressor: CoefficientRegressor | None) -> Scene:
    given = probe_video(case.result) if case.result else None
    size = given.width // 2 * 2 if given and given.width == given.height else setting.size
    driver = follow(
        case.driver, eyes, size=size, most=setting.most, longest=setting.longest, whole=case.result is not None
    )
    driver = _cut_short(driver, given, case)
    contenders = _drawn(case, setting, eyes, driver, driver, regressor)
    if case.result and given:
        beside = Contender(lambda: _beside(case, given, driver), contenders[MESH].points)
        contenders = {"result": beside, **contenders}
    return Scene(case, "same", driver, driver, contenders)


def _cross(case: Case, setting: Setting, eyes: Eyes, regressor: CoefficientRegressor | None) -> Scene:
    assert case.source is not None
    driver = follow(case.driver, eyes, size=setting.size, most=setting.most, longest=setting.longest)
    given = probe_video(case.result) if case.result else None
    driver = _cut_short(driver, given, case)
    source = follow(case.source, eyes, size=setting.size, longest=1)
    contenders = _drawn(case, setting, eyes, driver, source, regressor)
    if case.result and given:
        made = follow(case.result, eyes, size=setting.size, whole=True)
        if driver.frames[-1] >= len(made.coefficients):
            raise InputError(f"{case.result}: ends before frame {driver.frames[-1]}")
        made = replace(made, frames=driver.frames)
        found = face_points(made.motion(), eyes.model, setting.size)
        contenders = {"result": Contender(made.pictures, found), **contenders}
    return Scene(case, "cross", driver, source, contenders)


def _drawn(
    case: Case,
    setting: Setting,
    eyes: Eyes,
    driver: Footage,
    source: Footage,
    regressor: CoefficientRegressor | None,
) -> dict[str, Contender]:
    """Return what the renderers make of a source, and the source standing still."""
    picture, ours = source.still(), moved(setting.task, driver, source, eyes)

    def drawn(name: str) -> Contender:
        needed = renderer_weights(setting.options(name, source.size))
        files, motion = {role: file.path for role, file in needed.items()}, ours
        if RENDERERS[name].motion_space is not ours.own.space:
            assert regressor is not None, "what its renderer needs is checked before the first case"
            motion = moved_as_official(setting.task, driver, source, eyes, regressor)
        portrait = Source(picture, source.points[0], motion.own)
        return Contender(lambda: motion.drawn(open_renderer(name, files, portrait)), motion.points)

    # A finished result is the one under test; otherwise the renderer is, and the mesh cannot be its own baseline.
    names = {} if case.result else {"result": setting.renderer}
    names |= {} if names.get("result") == MESH else {MESH: MESH}
    still = face_points(ours.own, eyes.model, source.size) if setting.task == "cross" else ours.points
    return {
        **{role: drawn(name) for role, name in names.items()},
        UNMOVED: Contender(lambda: repeat(picture, len(ours.frames)), still),
    }


def _cut_short(driver: Footage, given: VideoInfo | None, case: Case) -> Footage:
    """Leave out the driver's last frames where a finished result lacks them; raise InputError for another length."""
    if given is None:
        return driver
    have, wanted = given.frame_count_estimate, len(driver.coefficients)
    longest = driver.info.frame_count_estimate if driver.info else 1
    if abs(have - longest) > SPARE_FRAMES:
        raise InputError(
            f"{case.result}: has {have} frames, its driver {case.driver} has {longest}; frame is held against frame"
        )
    kept = driver.frames < min(have, wanted)
    return replace(driver, frames=driver.frames[kept], points=driver.points[kept], valid=driver.valid[kept])


def _beside(case: Case, given: VideoInfo, driver: Footage) -> Iterator[Picture]:
    """Yield what a finished result shows where the driver's crop lies."""
    assert case.result is not None
    assert driver.info is not None
    shape, own = (given.width, given.height), (driver.info.width, driver.info.height)
    if abs(shape[0] / shape[1] - own[0] / own[1]) > 0.02:
        raise InputError(
            f"{case.result}: shows {shape[0]}x{shape[1]} pixels, its driver {own[0]}x{own[1]}, so they cannot show the "
            "same. Crop the driver to what the result shows, or leave `result` out to have facepipe render"
        )
    ratio = given.width / driver.info.width
    crop = SquareCrop(
        (driver.crop.center_x + 0.5) * ratio - 0.5, (driver.crop.center_y + 0.5) * ratio - 0.5, driver.crop.side * ratio
    )
    if driver.info.width == driver.info.height:
        crop = whole_picture(given.width)
    yield from chosen(case.result, given, np.asarray(driver.frames), crop, driver.size)
