"""What is checked before the first frame, so that every fault is told at once and early."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from facepipe import weights
from facepipe.errors import FacepipeError, InputError, PrecheckError
from facepipe.face.coefficients import read_header
from facepipe.face.model import BASIS
from facepipe.media.files import check_input, kind_of, seeming
from facepipe.media.image import probe_image
from facepipe.media.limits import MediaLimits
from facepipe.media.probe import probe_video


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


def inspect(path: Path, limits: MediaLimits, *, motion: bool = False) -> Medium:
    """Look at an input without decoding it.

    Raises InputError for what is no image, no video and (if `motion`) no motion file.
    """
    check_input(path)
    if motion and path.suffix == ".npz":
        return inspect_motion(path)
    kind = kind_of(path)
    if kind == "image":
        info = probe_image(path, limits)
        return Medium(path, kind, 1, size=(info.width, info.height))
    if kind == "video":
        video = probe_video(path, limits)
        size = (video.width, video.height)
        return Medium(path, kind, video.frame_count_estimate, video.has_sound, size, video.fps)
    also = ", or a motion file (.npz)" if motion else ""
    found = seeming(path) if kind == "unknown" else f"a {kind}" if kind == "playlist" else kind
    raise InputError(
        f"{path}: is neither an image nor a video but {found}; give a JPEG, PNG or WebP picture, an mp4, mov, mkv or "
        f"webm video{also}"
    )


def inspect_motion(path: Path) -> Medium:
    """Look at a motion file. Raises InputError if it is none, or of another basis."""
    check_input(path)
    header = read_header(path)
    if header["basis"] != BASIS:
        raise InputError(
            f"{path}: holds coefficients of basis {header['basis']!r}, but the renderer takes {BASIS!r}; "
            "make them again with `facepipe coefficients`"
        )
    size = (int(header["picture_size"][0]), int(header["picture_size"][1]))
    return Medium(path, "motion", int(header["frame_count"]), size=size, fps=Fraction(header["fps"]))


def all_of(checks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run all checks and return what they give; raise one PrecheckError that tells all that failed."""
    results: list[Any] = []
    faults: list[FacepipeError] = []
    for check in checks:
        try:
            results.append(check())
        except PrecheckError as error:
            faults.extend(error.errors)
        except FacepipeError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise PrecheckError(faults)
    return results


def find_weights(*names: str) -> dict[str, weights.WeightFile]:
    """Return verified weights by name; raise one error that tells of all that are missing or damaged."""
    files = all_of([partial(weights.find, name) for name in names])
    return dict(zip(names, files, strict=True))
