"""What is checked before the first frame, so that every fault is told at once and early."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from facepipe import weights
from facepipe.engine import Job
from facepipe.errors import ExitCode, FacepipeError, InputError, PrecheckError
from facepipe.media.files import check_input, description_of, kind_of
from facepipe.media.image import probe_image
from facepipe.media.limits import MediaLimits
from facepipe.media.probe import probe_video
from facepipe.spaces import SPACES
from facepipe.spaces.files import load_coefficients


@dataclass(frozen=True)
class Medium:
    """One input as it was found."""

    path: Path
    kind: str
    """image, video or motion."""
    frames: int
    """How many it has; an estimate for a video of variable rate."""
    has_sound: bool = False
    size: tuple[int, int] = (0, 0)
    """Width and height in pixels; of a motion file those of the picture it was made on."""
    fps: Fraction = Fraction(25)


def inspect(path: Path, limits: MediaLimits, *, motion: str = "") -> Medium:
    """Look at an input without decoding it.

    Raises InputError for what is no image, no video and, with the space `motion`, no motion file of that.
    """
    check_input(path)
    if path.suffix.lower() == ".npz":
        if motion:
            return inspect_motion(path, motion)
        raise InputError(
            f"{path}: is a motion file, which has no picture; give a picture or a video as SOURCE, and it as DRIVER"
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


def _refused(path: Path, kind: str, *, motion: bool) -> str:
    """Say what came instead of a picture or a video, and what to give."""
    if kind == "playlist" and description_of(path) == "text":
        return "is a playlist, which points to other files; give the video itself"
    also = ", or a motion file (.npz)" if motion else ""
    wanted = f"give a JPEG, PNG or WebP picture, or an mp4, mov, mkv or webm video{also}"
    found = "sound without pictures" if kind == "sound" else description_of(path)
    return f"is {found}, neither an image nor a video; {wanted}"


def inspect_motion(path: Path, space: str) -> Medium:
    """Look at a motion file. Raises InputError if it is not one, is damaged, or of another motion space."""
    check_input(path)
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            known = {"image": "a picture", "video": "a video", "sound": "sound"}
            found = known.get(kind_of(path)) or description_of(path)
            raise InputError(
                f"{path}: is {found} and no coefficient file (.npz); `facepipe coefficients` makes one of a picture "
                "or a video"
            )
    # All of it: it is small, and damage shall not come to light only after the source was worked on.
    motion = load_coefficients(path, space=SPACES[space])
    return Medium(path, "motion", len(motion), size=motion.picture_size, fps=motion.fps)


def all_of(checks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run all checks and return what they give; raise one PrecheckError that tells all that failed, each once.

    If it is one thing only, and wrong with the command and not with the machine, it is a UsageError.
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
    told = list({str(fault): fault for fault in faults}.values())
    if len(told) == 1 and told[0].exit_code in (ExitCode.USAGE, ExitCode.PRECHECK, ExitCode.TRY_AGAIN):
        raise told[0]
    if told:
        raise PrecheckError(told)
    return results


def find_weights(*names: str) -> dict[str, weights.WeightFile]:
    """Return verified weights by name; raise one error that tells of all that are missing or damaged."""
    files = all_of([partial(weights.find, name) for name in names])
    return dict(zip(names, files, strict=True))


def check_work_folder(job: Job) -> None:
    """Raise PrecheckError unless the work folder can be written; one that does not exist yet is not made."""
    if not job.dry_run:
        job.workspace.precheck(make=False)
