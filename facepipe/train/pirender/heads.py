"""Head clips as the training of a renderer reads them: all frames and landmarks in flat files, mapped into memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.face.fitting import Fit, fit
from facepipe.face.model import FaceModel

LIST = "heads.json"


@dataclass(frozen=True)
class HeadClip:
    """One clip, cropped to the head."""

    name: str
    person: str
    frames: Iterable[NDArray[np.uint8]]
    """(S, S, 3) RGB."""
    points: NDArray[np.floating]
    """(T, 478, 3) landmarks in pixels of the frames."""
    valid: NDArray[np.bool_]
    """(T,) frames with a face."""


@dataclass(frozen=True)
class Heads:
    """The frames of many clips one after the other."""

    names: list[str]
    persons: list[str]
    first: NDArray[np.intp]
    """(C + 1,) where each clip begins, and where the last ends."""
    frames: NDArray[np.uint8]
    """(N, S, S, 3) RGB."""
    points: NDArray[np.float32]
    """(N, 478, 3) in pixels of the frames."""
    valid: NDArray[np.bool_]
    """(N,)"""

    def clip(self, index: int) -> slice:
        """Return the rows of a clip."""
        return slice(int(self.first[index]), int(self.first[index + 1]))


def build_heads(clips: Iterable[HeadClip], cache: Path, size_pixels: int) -> Heads:
    """Write clips of more than one frame with a face into the folder `cache`, or open it when it is there."""
    if not (cache / LIST).exists():
        cache.mkdir(parents=True, exist_ok=True)
        rows, points, valid = [], [], []
        with (cache / "frames.u8").open("wb") as file:
            for clip in clips:
                if clip.valid.sum() < 2:
                    continue
                count = 0
                for frame, _ in zip(clip.frames, clip.valid, strict=False):
                    file.write(frame.tobytes())
                    count += 1
                rows.append((clip.name, clip.person, count))
                points.append(clip.points[:count].astype(np.float32))
                valid.append(clip.valid[:count])
        np.save(cache / "points.npy", np.concatenate(points))
        np.save(cache / "valid.npy", np.concatenate(valid))
        (cache / LIST).write_text(json.dumps({"size_pixels": size_pixels, "clips": rows}), encoding="utf-8")
    return open_heads(cache)


def open_heads(cache: Path) -> Heads:
    """Open what `build_heads` wrote."""
    facts = json.loads((cache / LIST).read_text(encoding="utf-8"))
    side, rows = facts["size_pixels"], facts["clips"]
    first = np.concatenate([[0], np.cumsum([count for _, _, count in rows])])
    return Heads(
        names=[name for name, _, _ in rows],
        persons=[person for _, person, _ in rows],
        first=first,
        frames=np.memmap(cache / "frames.u8", np.uint8, "r", shape=(int(first[-1]), side, side, 3)),
        points=np.load(cache / "points.npy", mmap_mode="r"),
        valid=np.load(cache / "valid.npy"),
    )


def mirrored(points: NDArray[np.floating], model: FaceModel, side: int) -> NDArray[np.float32]:
    """Return (T, 478, 3) points of the mirrored frames."""
    flipped = points * np.array([-1, 1, 1]) + np.array([side - 1, 0, 0])
    return flipped[:, model.mirror].astype(np.float32)


def fits_of(heads: Heads, model: FaceModel) -> list[tuple[Fit, Fit]]:
    """Return the fit of each clip as it is, and of its mirror image."""
    side, both = heads.frames.shape[1], []
    for index in range(len(heads.names)):
        rows = heads.clip(index)
        points, valid = np.asarray(heads.points[rows]), heads.valid[rows]
        both.append((fit(model, points, valid), fit(model, mirrored(points, model, side), valid)))
    return both
