"""Checks before the first frame. All faults are reported together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from facepipe import weights
from facepipe.engine import Job
from facepipe.errors import ExitCode, FacepipeError, InputError, PrecheckError, UsageError
from facepipe.media.files import check_input, description_of, kind_of
from facepipe.media.image import probe_image
from facepipe.media.limits import MediaLimits
from facepipe.media.probe import probe_video
from facepipe.pipeline.items import TRACK, is_avatar, is_take
from facepipe.spaces import SPACES, arkit52
from facepipe.spaces.arkit52.live_link import read_take
from facepipe.spaces.files import load_coefficients

ESTIMATE_FRAMES = 3
"""By how many frames the count of a video with a variable rate may be wrong."""


@dataclass(frozen=True)
class Medium:
    """The properties of an input file."""

    path: Path
    kind: str
    """"image", "video", "sound" or "motion"."""
    frames: int
    """The number of frames; an estimate for a video with variable frame rate."""
    has_sound: bool = False
    size: tuple[int, int] = (0, 0)
    """Width and height in pixels; for a motion file, of the picture from which it was estimated."""
    fps: Fraction = Fraction(25)


def inspect(path: Path, limits: MediaLimits, *, motion: str = "") -> Medium:
    """Read the properties of an input without decoding it.

    Raises InputError if it is not an image or a video. Motion files are accepted if they can drive in the space that
    `motion` names.
    """
    check_input(path)
    if path.suffix.lower() == ".npz" or is_take(path):
        if motion:
            return inspect_motion(path, motion, as_driver=True)
        raise InputError(
            f"{path}: is a motion file, which has no pixels; give a picture or video as SOURCE, and this file as DRIVER"
        )
    kind = kind_of(path)
    if kind == "image":
        info = probe_image(path, limits)
        return Medium(path, kind, 1, size=(info.width, info.height))
    if kind == "video":
        video = probe_video(path, limits)
        size = (video.width, video.height)
        return Medium(path, kind, video.frame_count_estimate, video.has_sound, size, video.fps)
    raise InputError(f"{path}: {_refused(path, kind, motion=bool(motion))}")


def check_kind(path: Path, accepted: Collection[str], *, space: str = "") -> None:
    """Check that a file has one of the accepted kinds, by its first bytes. A motion file is read if `space` is given.

    `accepted` are image, video, sound, motion, track and avatar; sound accepts a video. Raises InputError.
    """
    check_input(path)
    if is_avatar(path) and "avatar" in accepted:
        return
    if path.suffix.lower() == ".npz" or is_take(path):
        kind = "track" if path.name.endswith(TRACK) else "motion"
        if kind == "motion" and kind in accepted:
            if space:
                inspect_motion(path, space, as_driver=True)
        elif kind not in accepted:
            raise InputError(f"{path}: is a {kind} file, expected {_expected(accepted)}")
        return
    kind = kind_of(path)
    if kind in accepted or (kind == "video" and "sound" in accepted):
        return
    if "sound" not in accepted:
        raise InputError(f"{path}: {_refused(path, kind, motion='motion' in accepted)}")
    if kind != "unknown" or description_of(path) != "of unknown kind":
        found = {"image": "a picture", "playlist": "a playlist"}.get(kind) or description_of(path)
        raise InputError(f"{path}: is {found}, expected {_expected(accepted)}")


def _expected(accepted: Collection[str]) -> str:
    words = {
        "image": "a picture",
        "video": "a video",
        "sound": "sound",
        "motion": "a motion file",
        "track": "a track",
        "avatar": "an avatar",
    }
    return " or ".join(words[kind] for kind in words if kind in accepted)


def check_reference(driver: Medium, reference: str) -> None:
    """Raise UsageError if the number of a reference frame is beyond the driver's end.

    The count of a video's frames may be an estimate; the stage `motion` checks the last few exactly.
    """
    spare = ESTIMATE_FRAMES if driver.kind == "video" else 0
    if reference.isdecimal() and int(reference) >= driver.frames + spare:
        raise UsageError(
            f"{driver.path}: --reference is {reference}, but the driver has {driver.frames} frames; use best, first, "
            f"or a number from 0 to {driver.frames - 1}"
        )


def _refused(path: Path, kind: str, *, motion: bool) -> str:
    """Return the message for a file that is not a picture or a video."""
    if kind == "playlist" and description_of(path) == "text":
        return "is a playlist, which points to other files; give the video itself"
    if is_avatar(path):
        return "is an avatar by its name, which stands only for the SOURCE of a result; give a picture or video here"
    also = ", or a motion file (.npz, .csv)" if motion else ""
    wanted = f"give a JPEG, PNG or WebP picture, or an mp4, mov, mkv or webm video{also}"
    found = "sound without pictures" if kind == "sound" else description_of(path)
    return f"is {found}, neither an image nor a video; {wanted}"


def inspect_motion(path: Path, space: str, *, as_driver: bool = False) -> Medium:
    """Read a motion file; see `MotionSpace.takes` for `as_driver`.

    Raises InputError if it is not one, is damaged, or has another motion space.
    """
    check_input(path)
    if is_take(path):
        return _inspect_take(path, space, as_driver=as_driver)
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            known = {"image": "a picture", "video": "a video", "sound": "sound"}
            found = known.get(kind_of(path)) or description_of(path)
            raise InputError(
                f"{path}: is {found}, expected a motion file (.npz); `facepipe coefficients` makes one from a picture "
                "or a video"
            )
    # The whole file is read, because it is small, and damage should be found before the source is processed.
    motion = load_coefficients(path, space=SPACES[space], as_driver=as_driver)
    return Medium(path, "motion", len(motion), size=motion.picture_size, fps=motion.fps)


def _inspect_take(path: Path, space: str, *, as_driver: bool) -> Medium:
    """Read a take of Live Link Face. Raises InputError if it is not one, or cannot be used here."""
    if not as_driver:
        raise InputError(
            f"{path}: is a take, expected a motion file (.npz); `facepipe blendshapes {path.name} -o NAME.npz` "
            "makes one"
        )
    if not SPACES[space].takes(arkit52.SPACE, as_driver=True):
        raise InputError(
            f"{path}: is a take of face units, which cannot drive in the motion space {space}; give a video, or a "
            "motion file of that space"
        )
    motion = read_take(path).coefficients
    return Medium(path, "motion", len(motion), size=motion.picture_size, fps=motion.fps)


def all_of(checks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run all checks and return their results. Raises PrecheckError with all errors, without repeats.

    A single error is raised unchanged if its exit code is USAGE, PRECHECK or TRY_AGAIN.
    """
    results: list[Any] = []
    faults: list[FacepipeError] = []
    for check in checks:
        try:
            results.append(check())
        except PrecheckError as error:
            faults.extend(error.errors)
        except FacepipeError as error:
            faults.append(error)
    unique = list({str(fault): fault for fault in faults}.values())
    if len(unique) == 1 and unique[0].exit_code in (ExitCode.USAGE, ExitCode.PRECHECK, ExitCode.TRY_AGAIN):
        raise unique[0]
    if unique:
        raise PrecheckError(unique)
    return results


def find_weights(*names: str) -> dict[str, weights.WeightFile]:
    """Return verified weights by name. Raises one error that lists all missing or damaged weights."""
    files = all_of([partial(weights.find, name) for name in names])
    return dict(zip(names, files, strict=True))


def check_work_folder(job: Job) -> None:
    """Raise PrecheckError if the work folder is not writable. The folder is not created."""
    job.workspace.precheck(make=False)
