"""Face crops with reference points, cached on disk for the training of landmarker and detector.

For every selected frame, a cache holds a square of the picture around the face (`pictures.u8`, N x S x S x 3), the 478
reference points in pixels of that square, and the number of the item it came from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.split import Item
from facepipe.face.cropping import SquareCrop, box_of, sample, transform_points
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image

FRAMES_PER_CLIP = 64


@dataclass(frozen=True)
class FaceCache:
    """Pictures (N, S, S, 3) uint8 RGB, points (N, 478, 3) float32 in their pixels, item (N,) int32, portrait (N,)."""

    pictures: NDArray[np.uint8]
    points: NDArray[np.float32]
    item: NDArray[np.int32]
    portrait: NDArray[np.bool_]


def chosen_frames(valid: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """Return at most `count` frame numbers, spread evenly over the frames with a face."""
    there = np.flatnonzero(valid)
    places = np.unique(np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int))
    return np.asarray(there[places])


def read_frames(path: Path, wanted: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    """Yield the given frames of a clip, or a portrait as its only frame, RGB."""
    if path.suffix != ".mp4":
        yield read_image(path)
        return
    keep = set(wanted.tolist())
    for index, frame in enumerate(decode_frames(path, frame_count=int(wanted[-1]) + 1)):
        if index in keep:
            yield frame


def around_face(
    frame: NDArray[np.uint8], points: NDArray[np.float32], *, ratio: float, size_pixels: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Cut a square of `ratio` face sizes around the face; return it with the points in its pixels."""
    left, top, right, bottom = box_of(points)
    crop = SquareCrop(float(left + right) / 2, float(top + bottom) / 2, ratio * float(max(right - left, bottom - top)))
    return sample(frame, crop, size_pixels), transform_points(points, crop.matrix(size_pixels)).astype(np.float32)


def build_cache(
    items: list[Item],
    labels: Path,
    cache: Path,
    *,
    ratio: float,
    size_pixels: int,
    frames_per_clip: int = FRAMES_PER_CLIP,
) -> FaceCache:
    """Open the cache of `items` in the folder `cache`; make it first if there is none."""
    if not (cache / "cache.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        points, item_numbers, portraits = [], [], []
        with (cache / "pictures.u8").open("wb") as pictures:
            for number, item in enumerate(items):
                folder = "clips" if item.kind == "clip" else "portraits"
                with np.load(labels / folder / f"{item.path.stem}.npz") as label:
                    wanted = chosen_frames(label["valid"], frames_per_clip)
                    truth = label["points"]
                for index, frame in zip(wanted, read_frames(item.path, wanted), strict=False):
                    picture, points_in_crop = around_face(frame, truth[index], ratio=ratio, size_pixels=size_pixels)
                    pictures.write(picture.tobytes())
                    points.append(points_in_crop)
                    item_numbers.append(number)
                    portraits.append(item.kind != "clip")
        np.savez(
            cache / "points.npz",
            points=np.array(points),
            item=np.array(item_numbers, np.int32),
            portrait=np.array(portraits),
        )
        (cache / "cache.json").write_text(
            json.dumps({"count": len(points), "size_pixels": size_pixels}), encoding="utf-8"
        )
    facts = json.loads((cache / "cache.json").read_text(encoding="utf-8"))
    shape = (facts["count"], facts["size_pixels"], facts["size_pixels"], 3)
    with np.load(cache / "points.npz") as table:
        return FaceCache(
            pictures=np.memmap(cache / "pictures.u8", np.uint8, "r", shape=shape),
            points=table["points"],
            item=table["item"],
            portrait=table["portrait"],
        )
