"""Spans: ranges of frames of a raw video, each with one fixed crop square for all of its frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facepipe.face.track import Track, crop_around

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Span:
    """Frames from `first_frame` to `end_frame` (exclusive) of a video, and the square that is cut out of each."""

    first_frame: int
    end_frame: int
    left: int
    top: int
    side: int
    """In pixels of the picture, like `left` and `top`."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Return (left, top, width, height) in pixels."""
        return self.left, self.top, self.side, self.side


def whole_span(track: Track, picture_size: tuple[int, int]) -> Span:
    """Return a span of the entire clip with the square that `facepipe crop` would cut, in whole pixels."""
    square = crop_around(track.points[track.valid], picture_size)
    side = max(2, int(square.side))
    left, top = (
        int(np.clip(round(center + 0.5 - side / 2), 0, length - side))
        for center, length in zip((square.center_x, square.center_y), picture_size, strict=True)
    )
    return Span(0, len(track.valid), left, top, side)


def cut_track(track: Track, span: Span, size_pixels: int) -> Track:
    """Return the rows of a span, with points in pixels of its clip of side `size_pixels`."""
    rows, scale = track.rows(span.first_frame, span.end_frame), np.float32(size_pixels / span.side)
    # Pixel i covers i - 0.5 to i + 0.5, both in the picture and in the clip.
    corner, half = np.array([span.left - 0.5, span.top - 0.5, 0], np.float32), np.array([0.5, 0.5, 0], np.float32)

    def cut(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.where(rows.valid[:, None, None], (points - corner) * scale - half, 0).astype(np.float32)

    own = None if rows.sixty_eight is None else cut(rows.sixty_eight)
    return replace(rows, points=cut(rows.points), sixty_eight=own)
