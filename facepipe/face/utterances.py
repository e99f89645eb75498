"""VoxCeleb annotations: the speaker and the position of the face, one text file per utterance.

The header names the person (`Identity : id10001`); a table `FRAME X Y W H` follows, with frames at 25 frames/s, and
boxes in pixels of a picture 360 pixels high or, if no number exceeds 1, in fractions of the picture's width and height.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.face.detector import overlap
from facepipe.face.multi_tracking import MAX_MISSING_FRAMES, FaceTrack

Floats = NDArray[np.floating]

FPS, HEIGHT_PIXELS = 25, 360
_IDENTITY = re.compile(r"^\s*Identity\s*:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Utterance:
    """One annotated utterance in a video."""

    name: str
    person: str
    """Empty if the file does not name the person."""
    frames: NDArray[np.int64]
    """(T,), ascending, at 25 frames/s."""
    boxes: Floats
    """(T, 4) left, top, right, bottom in fractions of the picture's height, or of each side if `relative`."""
    relative: bool

    def box(self, frame: int, picture_size: tuple[int, int]) -> Floats | None:
        """Return the box of a frame in pixels of a picture of (width, height), or None if it is not annotated."""
        place = int(np.searchsorted(self.frames, frame))
        if place == len(self.frames) or self.frames[place] != frame:
            return None
        width, height = picture_size
        scale = (width, height, width, height) if self.relative else (height,) * 4
        return np.asarray(self.boxes[place] * np.array(scale))


def read_utterance(path: Path) -> Utterance:
    """Read an annotation. Raises InputError for any other file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        head, mark, table = text.partition("FRAME")
        rows = np.array([line.split() for line in table.splitlines()[1:] if line.strip()], float)
        if not mark or rows.ndim != 2 or rows.shape[1] < 5 or not np.isfinite(rows).all():
            raise ValueError("no table of FRAME X Y W H")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is not a VoxCeleb annotation ({error}); expected a table with the header FRAME X Y W H"
        ) from None
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    relative = bool(rows[:, 1:5].max() <= 1)
    boxes = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], axis=1)
    person = _IDENTITY.search(head)
    return Utterance(
        path.stem,
        person[1] if person else "",
        rows[:, 0].astype(np.int64),
        boxes if relative else boxes / HEIGHT_PIXELS,
        relative,
    )


def spoken_boxes(
    utterance: Utterance, tracks: Sequence[FaceTrack], fps: Fraction, picture_size: tuple[int, int]
) -> Iterator[tuple[int, Floats]]:
    """Yield (first frame, (T, 4) detected boxes) of the annotated face, in pixels of the picture.

    In each frame, the track that overlaps the annotation best is taken. A gap of more than `MAX_MISSING_FRAMES` starts
    a new range.
    """
    first, boxes, missing = 0, list[Floats](), 0
    for frame in range(*_reach(utterance, fps)):
        box = _best(utterance.box(annotated_frame(frame, fps), picture_size), tracks, frame)
        if box is not None:
            first, missing = (frame if not boxes else first), 0
            boxes.append(box)
        elif boxes:
            missing += 1
            boxes.append(boxes[-1])
        if missing > MAX_MISSING_FRAMES:
            yield first, np.array(boxes[:-missing])
            boxes, missing = [], 0
    if boxes:
        yield first, np.array(boxes[: len(boxes) - missing])


def annotated_frame(frame: int, fps: Fraction) -> int:
    """Return the annotation's frame number for a frame at `fps`."""
    return math.floor(frame * FPS / fps)


def _reach(utterance: Utterance, fps: Fraction) -> tuple[int, int]:
    return math.floor(int(utterance.frames[0]) * fps / FPS), math.ceil((int(utterance.frames[-1]) + 1) * fps / FPS)


def _best(annotated: Floats | None, tracks: Sequence[FaceTrack], frame: int) -> Floats | None:
    if annotated is None:
        return None
    there = [track.boxes[frame - track.first_frame] for track in tracks if track.first_frame <= frame < track.end_frame]
    shared = [(overlap(box, annotated), box) for box in there]
    best, box = max(shared, key=lambda pair: pair[0], default=(0.0, annotated))
    return box if best > 0 else None
