"""Frames and landmarks of head clips for the training of renderers, in flat files that are memory-mapped."""

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

# Named as in earlier caches, which stay readable.
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
class FrameCache:
    """The frames of C clips, concatenated."""

    names: list[str]
    persons: list[str]
    first: NDArray[np.intp]
    """(C + 1,) the first row of each clip, then the number of all rows."""
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
    """Yield the clips of some splits of a data set from `facepipe dataset build`."""
    for entry in read_list(dataset, *splits):
        track = load_track(path_of(dataset, entry.id, "track")).track
        frames = decode_frames(path_of(dataset, entry.id, "clip"))
        yield HeadClip(entry.id, entry.person, frames, track.points, track.valid)


def size_of(dataset: Path) -> int:
    """Return the side of a data set's clips in pixels. Raises InputError if sizes differ or there are no clips."""
    sizes = {entry.size_pixels for entry in read_list(dataset)}
    if len(sizes) != 1:
        raise InputError(f"{dataset} holds clips of {sorted(sizes) or 'no'} pixels, expected one size. Build it again.")
    return sizes.pop()


def origin_of(dataset: Path, *splits: str) -> str:
    """Return a digest that identifies the frames of some splits of a data set."""
    # Coefficients of another space can be added later without a change of the frames.
    rows = [asdict(replace(entry, bfm=False)) for entry in read_list(dataset, *splits)]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def build_frame_cache(clips: Iterable[HeadClip], cache: Path, size_pixels: int, origin: str = "") -> FrameCache:
    """Open the cache in the folder `cache`; if there is none, write it from clips with a face in two or more frames.

    `origin` identifies the data set. Raises InputError if the cache is from another one.
    """
    if not (cache / LIST).exists():
        write_frame_cache(clips, cache, size_pixels, origin)
    actual_origin = json.loads((cache / LIST).read_text(encoding="utf-8")).get("origin")
    if actual_origin != origin:
        actual = f"of the data set {actual_origin[:12]}" if actual_origin else "of an unknown data set"
        raise InputError(
            f"{cache} holds frames {actual}, expected those of {origin[:12]}, the current content of --dataset. "
            "Use another --cache, or empty it."
        )
    return open_frame_cache(cache)


def write_frame_cache(clips: Iterable[HeadClip], cache: Path, size_pixels: int, origin: str) -> None:
    """Write a cache. The list is written last, so that a stopped run starts over. Raises InputError for no clips."""
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
                f"No clip for {cache} shows a face in two frames. Training uses the split train, evaluation the splits "
                "unseen and test: build the set from more people, or with --test-percent."
            )
    for name, parts in (("points.npy", points), ("valid.npy", valid)):
        with draft_of(cache / name) as draft:
            np.save(draft, np.concatenate(parts))
    with draft_of(cache / LIST) as draft:
        draft.write_text(json.dumps({"size_pixels": size_pixels, "origin": origin, "clips": rows}), encoding="utf-8")


def open_frame_cache(cache: Path) -> FrameCache:
    """Open a cache that `build_frame_cache` wrote."""
    facts = json.loads((cache / LIST).read_text(encoding="utf-8"))
    side, rows = facts["size_pixels"], facts["clips"]
    first = np.concatenate([[0], np.cumsum([count for _, _, count in rows])])
    return FrameCache(
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


def fits_of(cache: FrameCache, model: FaceModel) -> list[tuple[Fit, Fit]]:
    """Return the fits of each clip and of its mirror image."""
    side, both = cache.frames.shape[1], []
    for index in range(len(cache.names)):
        rows = cache.clip(index)
        points, valid = np.asarray(cache.points[rows]), cache.valid[rows]
        both.append((fit(model, points, valid), fit(model, mirrored(points, model, side), valid)))
    return both


def coefficients_of(cache: FrameCache, fits: list[tuple[Fit, Fit]]) -> list[tuple[Coefficients, Coefficients]]:
    """Return fits as coefficients relative to the whole picture, at a nominal 25 frames per second."""
    side = cache.frames.shape[1]
    header: dict[str, Any] = {"fps": Fraction(25), "crop": whole_picture(side), "picture_size": (side, side)}
    both = []
    for index, (own, mirror) in enumerate(fits):
        valid = cache.valid[cache.clip(index)]
        both.append((from_fit(own, valid, **header), from_fit(mirror, valid, **header)))
    return both
