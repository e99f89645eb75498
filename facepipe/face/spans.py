"""Spans: the parts of a raw video that become clips of a data set, each with one fixed square of the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop
from facepipe.face.track import Track, crop_around

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Span:
    """Frames `first_frame` up to `end_frame` (left out) of a video, and the square that is cut out of all of them."""

    first_frame: int
    end_frame: int
    left: int
    top: int
    side: int
    """Pixels of the picture."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Return (left, top, width, height) in pixels."""
        return self.left, self.top, self.side, self.side


@dataclass(frozen=True)
class Sighting:
    """A span, and who is seen in it."""

    span: Span
    face: int = 0
    """Which of the video's faces, in the order in which they appear."""
    person: str = ""
    """Where an annotation tells it."""
    utterance: str = ""
    """The annotation's name."""


@dataclass(frozen=True)
class Sightings:
    """What was found in a video at one rate."""

    frames: int
    found: Sequence[Sighting]
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By reason, how many were not good enough."""


def save_sightings(sightings: Sightings, path: Path) -> None:
    """Write sightings as JSON."""
    path.write_text(json.dumps(asdict(sightings), sort_keys=True) + "\n", encoding="utf-8")


def load_sightings(path: Path) -> Sightings:
    """Read what `save_sightings` wrote."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found = [Sighting(**{**one, "span": Span(**one["span"])}) for one in content["found"]]
    return Sightings(content["frames"], found, content["rejected"])


def whole_span(track: Track, picture_size: tuple[int, int]) -> Span:
    """Return the whole of a clip with the square that `facepipe crop` would cut out of it, in whole pixels."""
    square = crop_around(track.points[track.valid], picture_size)
    side = max(2, int(square.side))
    left, top = (
        int(np.clip(round(center + 0.5 - side / 2), 0, length - side))
        for center, length in zip((square.center_x, square.center_y), picture_size, strict=True)
    )
    return Span(0, len(track.valid), left, top, side)


def whole_picture(size_pixels: int) -> SquareCrop:
    """Return the crop of a clip that is nothing but face: what is said relative to it is said of the clip's pixels."""
    return SquareCrop((size_pixels - 1) / 2, (size_pixels - 1) / 2, float(size_pixels))


def cut_track(track: Track, span: Span, size_pixels: int) -> Track:
    """Return the rows of a span with points in pixels of its clip, whose side is `size_pixels`."""
    rows, scale = track.rows(span.first_frame, span.end_frame), np.float32(size_pixels / span.side)
    # Pixel i covers i - 0.5 to i + 0.5, in the picture as in the clip.
    corner, half = np.array([span.left - 0.5, span.top - 0.5, 0], np.float32), np.array([0.5, 0.5, 0], np.float32)

    def cut(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.where(rows.valid[:, None, None], (points - corner) * scale - half, 0).astype(np.float32)

    own = None if rows.sixty_eight is None else cut(rows.sixty_eight)
    return replace(rows, points=cut(rows.points), sixty_eight=own)
