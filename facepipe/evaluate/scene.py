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
from facepipe.evaluate.pixels import Picture
from facepipe.face.coefficients import Coefficients
from facepipe.face.cropping import SquareCrop
from facepipe.face.spans import whole_picture
from facepipe.media.info import VideoInfo
from facepipe.media.probe import probe_video
from facepipe.motion.retargeting import Retargeting, retarget
from facepipe.pipeline.options import Options
from facepipe.pipeline.rendering import renderer_weights
from facepipe.renderers import RENDERERS, Sitter

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
        return Options(renderer=renderer, weights=self.weights if renderer == self.renderer else "", size_pixels=size)


def set_up(case: Case, setting: Setting, eyes: Eyes) -> Scene:
    """Follow driver, source and, where there is one, the finished result of a case; raise InputError, NoFaceError."""
    return _same(case, setting, eyes) if setting.task == "same" else _cross(case, setting, eyes)


def _same(case: Case, setting: Setting, eyes: Eyes) -> Scene:
    given = probe_video(case.result) if case.result else None
    size = given.width // 2 * 2 if given and given.width == given.height else setting.size
    driver = follow(
        case.driver, eyes, size=size, most=setting.most, longest=setting.longest, whole=case.result is not None
    )
    driver = _cut_short(driver, given, case)
    motion = retarget(
        driver.coefficients.rows(0, 1), driver.coefficients, Retargeting(reference="first", scale="driver"), eyes.model
    ).taken(driver.frames)
    points = face_points(driver.motion(), eyes.model, size)
    contenders = _drawn(case, setting, eyes, driver, motion, points)
    if case.result and given:
        contenders = {
            "result": Contender(lambda: _beside(case, given, driver), points),
            **contenders,
        }
    return Scene(case, "same", driver, driver, contenders)


def _cross(case: Case, setting: Setting, eyes: Eyes) -> Scene:
    assert case.source is not None
    driver = follow(case.driver, eyes, size=setting.size, most=setting.most, longest=setting.longest)
    given = probe_video(case.result) if case.result else None
    driver = _cut_short(driver, given, case)
    source = follow(case.source, eyes, size=setting.size, longest=1)
    motion = retarget(source.coefficients.rows(0, 1), driver.coefficients, Retargeting(), eyes.model)
    motion = motion.taken(driver.frames)
    contenders = _drawn(case, setting, eyes, source, motion, face_points(motion, eyes.model, setting.size))
    if case.result and given:
        made = follow(case.result, eyes, size=setting.size, whole=True)
        if driver.frames[-1] >= len(made.coefficients):
            raise InputError(f"{case.result}: ends before frame {driver.frames[-1]}")
        made = replace(made, frames=driver.frames)
        found = face_points(made.motion(), eyes.model, setting.size)
        contenders = {"result": Contender(made.pictures, found), **contenders}
    return Scene(case, "cross", driver, source, contenders)


def _drawn(
    case: Case, setting: Setting, eyes: Eyes, source: Footage, motion: Coefficients, points: Floats
) -> dict[str, Contender]:
    """Return what the renderers make of a source, and the source standing still."""
    own = source.coefficients.rows(0, 1)
    sitter = Sitter(source.still(), source.points[0], own)

    def drawn(name: str) -> Contender:
        needed = renderer_weights(setting.options(name, source.size))
        files = {role: file.path for role, file in needed.items()}
        return Contender(lambda: RENDERERS[name].open(files, sitter)(motion, 0, len(motion)), points)

    # A finished result is the one under test; otherwise the renderer is, and the mesh cannot be its own baseline.
    names = {} if case.result else {"result": setting.renderer}
    names |= {} if names.get("result") == MESH else {MESH: MESH}
    still = face_points(own, eyes.model, source.size) if setting.task == "cross" else points
    return {
        **{role: drawn(name) for role, name in names.items()},
        UNMOVED: Contender(lambda: repeat(sitter.picture, len(motion)), still),
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
