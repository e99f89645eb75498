"""Clips of two people who stand side by side, made of one photograph."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.track import Track, load_track
from facepipe.media.encode import VideoWriter
from tests.face.faces import astronaut
from tests.pipeline.scene import Outcome, run

Picture = NDArray[np.uint8]
FPS = Fraction(10)
WIDTH, HEIGHT = 640, 300


def first() -> Picture:
    """The astronaut, (300, 320, 3)."""
    return astronaut()


def second() -> Picture:
    """Somebody else, (300, 320, 3): the photograph mirrored, with another skin and a longer face."""
    values = (astronaut()[:, ::-1] / 255) ** 1.5 * (255, 219, 184)
    longer = cv2.resize(values.astype(np.uint8), (320, 336), interpolation=cv2.INTER_AREA)
    return np.asarray(longer[:HEIGHT], np.uint8)


def together(left: Picture | None, right: Picture | None) -> Picture:
    """Return a frame (300, 640, 3) with pictures at its sides; grey where nobody is."""
    frame = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for start, picture in ((0, left), (WIDTH - 320, right)):
        if picture is not None:
            frame[:, start : start + 320] = picture
    return frame


def write_clip(path: Path, frames: Iterable[Picture]) -> Path:
    """Write frames of one size as a video of 10 frames/s."""
    pictures = list(frames)
    height, width = pictures[0].shape[:2]
    with VideoWriter(path, size=(width, height), fps=FPS, quality=90) as writer:
        for picture in pictures:
            writer.write(picture)
    return path


def cropped(clip: Path, *options: str | Path) -> tuple[Outcome, Track]:
    """Run `facepipe crop` beside the clip. Return what it told, and the track."""
    out = clip.parent / "out"
    outcome = run("crop", clip, "-o", out, "--work", clip.parent / "work", "--json", *options)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome, load_track(next(out.glob(f"{clip.stem}.track.npz"))).track


def remarks(outcome: Outcome) -> dict[str, str]:
    """Return the text of the remarks by code."""
    told: list[dict[str, Any]] = [event for event in outcome.events if event["event"] == "remark"]
    return {event["code"]: event["message"] for event in told}
