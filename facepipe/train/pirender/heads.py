"""Head clips as the training of a renderer reads them: all frames and landmarks in flat files, mapped into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.listing import path_of, read_list
from facepipe.errors import InputError
from facepipe.face.cropping import whole_picture
from facepipe.face.fitting import Fit, fit
from facepipe.face.model import FaceModel
from facepipe.face.track import load_track
from facepipe.media.decode import decode_frames
from facepipe.media.files import draft_of, sweep_drafts
from facepipe.spaces.coefficients import Coefficients, from_fit

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


def clips_of(dataset: Path, *splits: str) -> Iterator[HeadClip]:
    """Yield the clips of some splits of what `facepipe dataset build` made."""
    for entry in read_list(dataset, *splits):
        track = load_track(path_of(dataset, entry.id, "track")).track
        frames = decode_frames(path_of(dataset, entry.id, "clip"))
        yield HeadClip(entry.id, entry.person, frames, track.points, track.valid)


def size_of(dataset: Path) -> int:
    """Return the side of a data set's clips in pixels. Raises InputError where they differ, or there are none."""
    sizes = {entry.size_pixels for entry in read_list(dataset)}
    if len(sizes) != 1:
        raise InputError(f"{dataset} holds clips of {sorted(sizes) or 'no'} pixels, expected one size. Build it again.")
    return sizes.pop()


def origin_of(dataset: Path, *splits: str) -> str:
    """Return a digest that tells the frames of some splits of a data set from those of any other."""
    # Coefficients of the other basis may come later, and leave the frames as they were.
    rows = [asdict(replace(entry, bfm=False)) for entry in read_list(dataset, *splits)]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def build_heads(clips: Iterable[HeadClip], cache: Path, size_pixels: int, origin: str = "") -> Heads:
    """Write clips of more than one frame with a face into the folder `cache`, or open it when it is there.

    `origin` tells where they are from. Raises InputError where the cache is of another.
    """
    if not (cache / LIST).exists():
        write_heads(clips, cache, size_pixels, origin)
    came = json.loads((cache / LIST).read_text(encoding="utf-8")).get("origin")
    if came != origin:
        told = f"of the data set {came[:12]}" if came else "of a data set that it does not tell"
        raise InputError(
            f"{cache} holds frames {told}, expected those of {origin[:12]}, as --dataset has them now. "
            "Give another --cache, or empty it."
        )
    return open_heads(cache)


def write_heads(clips: Iterable[HeadClip], cache: Path, size_pixels: int, origin: str) -> None:
    """Write a cache. Its list comes last, so that without it all is begun anew. Raises InputError for no clips."""
    cache.mkdir(parents=True, exist_ok=True)
    sweep_drafts(cache)
    rows, points, valid = [], [], []
    with draft_of(cache / "frames.u8") as draft, draft.open("wb") as file:
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
        if not rows:
            raise InputError(
                f"No clip for {cache} shows a face in two frames: training learns from the split train, and is judged "
                "by unseen and test. Build the set of more people, or with --test-percent."
            )
    for name, parts in (("points.npy", points), ("valid.npy", valid)):
        with draft_of(cache / name) as draft:
            np.save(draft, np.concatenate(parts))
    with draft_of(cache / LIST) as draft:
        draft.write_text(json.dumps({"size_pixels": size_pixels, "origin": origin, "clips": rows}), encoding="utf-8")


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
    return np.asarray(flipped[:, model.mirror], np.float32)


def fits_of(heads: Heads, model: FaceModel) -> list[tuple[Fit, Fit]]:
    """Return the fit of each clip as it is, and of its mirror image."""
    side, both = heads.frames.shape[1], []
    for index in range(len(heads.names)):
        rows = heads.clip(index)
        points, valid = np.asarray(heads.points[rows]), heads.valid[rows]
        both.append((fit(model, points, valid), fit(model, mirrored(points, model, side), valid)))
    return both


def coefficients_of(heads: Heads, fits: list[tuple[Fit, Fit]]) -> list[tuple[Coefficients, Coefficients]]:
    """Return what `fits_of` gives as coefficients relative to the whole picture, as if of 25 frames a second."""
    side = heads.frames.shape[1]
    words: dict[str, Any] = {"fps": Fraction(25), "crop": whole_picture(side), "picture_size": (side, side)}
    both = []
    for index, (own, mirror) in enumerate(fits):
        valid = heads.valid[heads.clip(index)]
        both.append((from_fit(own, valid, **words), from_fit(mirror, valid, **words)))
    return both
