"""What is checked before the first frame, so that every fault is told at once and early."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe import weights
from facepipe.errors import FacepipeError, InputError, PrecheckError
from facepipe.face.coefficients import BASIS, read_header
from facepipe.media.files import check_input, kind_of
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


def inspect(path: Path, limits: MediaLimits, *, motion: bool = False) -> Medium:
    """Look at an input without decoding it. Raises InputError for what is no image, video or (if `motion`) motion file."""
    check_input(path)
    if motion and path.suffix == ".npz":
        header = read_header(path)
        if header["basis"] != BASIS:
            raise InputError(
                f"{path} holds coefficients of basis {header['basis']!r}, but the renderer takes {BASIS!r}. Make them again with `facepipe coefficients`."
            )
        return Medium(path, "motion", int(header["frame_count"]))
    kind = kind_of(path)
    if kind == "image":
        probe_image(path, limits)
        return Medium(path, kind, 1)
    if kind == "video":
        info = probe_video(path, limits)
        return Medium(path, kind, info.frame_count_estimate, info.has_sound)
    also = ", or a motion file (.npz)" if motion else ""
    raise InputError(
        f"{path} is neither an image nor a video ({kind}). Give a JPEG, PNG or WebP picture, an mp4, mov, mkv or webm video{also}."
    )


def all_of(checks: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run all checks and return what they give; raise one PrecheckError that tells all that failed."""
    results: list[Any] = []
    faults: list[FacepipeError] = []
    for check in checks:
        try:
            results.append(check())
        except FacepipeError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise PrecheckError(faults)
    return results


def find_weights(*names: str) -> dict[str, weights.WeightFile]:
    """Return verified weights by name."""
    return {name: weights.find(name) for name in names}
