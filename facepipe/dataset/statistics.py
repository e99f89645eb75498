"""Statistics of a data set, and a contact sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.listing import Entry, by_person, path_of
from facepipe.engine.progress import printable
from facepipe.face.cropping import box_of
from facepipe.face.track import load_track
from facepipe.media.contact import contact_sheet
from facepipe.media.decode import decode_frames
from facepipe.media.files import draft_of
from facepipe.media.image import write_image
from facepipe.spaces.files import load_coefficients

FORMAT, VERSION = "facepipe-statistics", 1
STATISTICS, SHEET = "statistics.json", "sheet.png"
PERCENTILES = (2, 50, 98)
MAX_TILES, COLUMNS, TILE_PIXELS = 96, 12, 128
_DOT = (0, 255, 0)


def write_statistics(dataset: Path, entries: Sequence[Entry], rejected: Mapping[str, int], missing: int) -> None:
    """Write `statistics.json` for all clips and for each split.

    `rejected` is the number of rejected candidates by reason, `missing` the number of raw videos without a result.
    """
    splits = sorted({entry.split for entry in entries})
    content = {
        "format": FORMAT,
        "version": VERSION,
        "rejected": dict(rejected),
        "missing": missing,
        "all": _summary(dataset, entries),
        **{split: _summary(dataset, [entry for entry in entries if entry.split == split]) for split in splits},
    }
    with draft_of(dataset / STATISTICS) as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _summary(dataset: Path, entries: Sequence[Entry]) -> dict[str, Any]:
    if not entries:
        return {"clips": 0}
    frames = [entry.frames for entry in entries]
    return {
        "clips": len(entries),
        "people": len(by_person(entries)),
        "frames": sum(frames),
        "hours": round(sum(entry.frames / float(entry.rate) for entry in entries) / 3600, 4),
        "clips_with_sound": sum(entry.sound for entry in entries),
        "frames_without_face": sum(entry.frames - entry.valid_frames for entry in entries),
        "frames_a_clip": _spread(np.array(frames, float)),
        "side_pixels": _spread(np.array([entry.box[2] for entry in entries], float)),
        **_faces(dataset, entries),
    }


def _faces(dataset: Path, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return percentiles of face size and head angles over all frames with a face."""
    degrees, heights = [], []
    for entry in entries:
        motion = load_coefficients(path_of(dataset, entry.id, "coefficients"))
        track = load_track(path_of(dataset, entry.id, "track")).track
        boxes = box_of(track.points[track.valid])
        degrees.append(np.degrees(motion.angles[motion.valid]))
        heights.append((boxes[:, 3] - boxes[:, 1]) / entry.size_pixels)
    pitch, yaw, roll = np.concatenate(degrees).T
    return {
        "face_height_of_side": _spread(np.concatenate(heights), 3),
        "yaw_degrees": _spread(yaw),
        "pitch_degrees": _spread(pitch),
        "roll_degrees": _spread(roll),
    }


def _spread(values: NDArray[np.floating], digits: int = 1) -> dict[str, float]:
    found = np.percentile(values, PERCENTILES)
    return {f"p{name:02}": round(float(value), digits) for name, value in zip(PERCENTILES, found, strict=True)}


def write_sheet(dataset: Path, entries: Sequence[Entry]) -> None:
    """Write `sheet.png`: the middle frames of clips spread evenly over the list, with their landmarks."""
    rows = np.unique(np.linspace(0, len(entries) - 1, min(MAX_TILES, len(entries))).round().astype(int))
    chosen = [sorted(entries, key=lambda entry: entry.id)[row] for row in rows]
    tiles = [_tile(dataset, entry) for entry in chosen]
    labels = [printable(f"{entry.person[:14]} {entry.split}") for entry in chosen]
    write_image(dataset / SHEET, contact_sheet(tiles, columns=COLUMNS, labels=labels, tile_height=TILE_PIXELS))


def _tile(dataset: Path, entry: Entry) -> NDArray[np.uint8]:
    middle = entry.frames // 2
    frame = next(decode_frames(path_of(dataset, entry.id, "clip"), start_frame=middle, frame_count=1)).copy()
    track = load_track(path_of(dataset, entry.id, "track")).track
    if track.valid[middle]:
        points = track.points[middle, :, :2].round().astype(int)
        inside = points[((points >= 0) & (points < entry.size_pixels - 1)).all(1)]
        for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
            frame[inside[:, 1] + down, inside[:, 0] + right] = _DOT
    return frame
