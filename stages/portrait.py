"""Stage `portrait`: the head and its surroundings, cut out of a picture, upright and of moderate size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import InputError
from facepipe.face.track import TrackFile, crop_around, load_track, save_track
from facepipe.media.grid import resize, turned
from facepipe.media.image import read_image, write_image
from facepipe.media.limits import NO_LIMITS

Picture = NDArray[np.uint8]
REACH = 1.6
"""Side of the surroundings as a multiple of that of the face's frame: hair is whole, and people beside are cut off."""
MAX_FRAME_PIXELS = 768
"""Side of the face's frame from which on a picture is reduced: three times that of an observation."""
SHAPE_TOLERANCE = 0.02
"""Relative difference in shape up to which a stylised picture counts as framed like the portrait."""


@dataclass(frozen=True)
class Params:
    """Parameters of the stage: none."""


def portrait(run: StageRun[Params]) -> Mapping[str, Any]:
    """Cut and reduce the portrait, the same of its stylised version, and the track. Raises InputError."""
    from facepipe.creation.observation import face_frame

    file = load_track(run.input("track"))
    picture = turned(read_image(run.input("media"), NO_LIMITS), file.turned_degrees)
    points = file.track.points[0].astype(np.float64)
    frame = face_frame(points)
    half = REACH * frame.side / 2
    height, width = picture.shape[:2]
    left, top = max(0, int(frame.center_x - half)), max(0, int(frame.center_y - half))
    right, bottom = min(width, int(frame.center_x + half) + 1), min(height, int(frame.center_y + half) + 1)
    scale = min(1.0, MAX_FRAME_PIXELS / frame.side)
    size = (max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top))))

    def cut(pixels: Picture) -> Picture:
        return np.ascontiguousarray(resize(pixels[top:bottom, left:right], size))

    write_image(run.output / "portrait.png", cut(picture))
    if "stylized" in run.inputs:
        write_image(run.output / "stylized.png", cut(_stylized(run, file, (width, height))))
    grown = np.array([size[0] / (right - left), size[1] / (bottom - top), scale])
    # Pixel centres have whole coordinates.
    moved = (points - (left, top, 0) + (0.5, 0.5, 0)) * grown - (0.5, 0.5, 0)
    track = replace(file.track, points=moved[None].astype(np.float32), sixty_eight=None)
    save_track(TrackFile(track, file.fps, crop_around(track.points, size), size), run.output / "track.npz")
    run.advance(1)
    return {"box": [left, top, right - left, bottom - top], "size": list(size)}


def _stylized(run: StageRun[Params], file: TrackFile, size: tuple[int, int]) -> Picture:
    """Return the stylised picture at the portrait's size. Raises InputError if it has another shape."""
    path = run.input("stylized")
    picture = turned(read_image(path, NO_LIMITS), file.turned_degrees)
    height, width = picture.shape[:2]
    if abs(width * size[1] / (height * size[0]) - 1) > SHAPE_TOLERANCE:
        raise InputError(
            f"{path}: is {width}x{height}, but the portrait is {size[0]}x{size[1]}; the stylised picture must show the "
            "whole portrait, at any size but in its shape"
        )
    return np.asarray(resize(picture, size), np.uint8)


STAGE = Stage(
    name="portrait",
    version=1,
    inputs=("media", "track", "stylized?"),
    outputs=("portrait.png", "track.npz", "stylized.png?"),
    params=Params,
    function=portrait,
)
